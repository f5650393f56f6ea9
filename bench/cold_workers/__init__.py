"""The processes whose starts are measured: scripts, each of which prints one JSON object.

Times are the monotonic clock's, which all processes of a machine share.
"""
