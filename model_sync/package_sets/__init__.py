"""Resolve, download, unpack, prune and index package sets.

Start at `publish`. Importing from a set is `inference.package_sets`, not here.
"""
