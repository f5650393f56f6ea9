"""Scripts whose cold starts are measured; each prints one JSON object.

Times are of the monotonic clock, which all processes of a machine share.
"""
