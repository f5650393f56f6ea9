"""Read a store again and report each difference from its manifests.

Start at `verb`. Changes nothing in the store.
"""
