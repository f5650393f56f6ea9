"""Durable file operations on a store: staging, fsync, trash, disk space.

Start at `durable` and `staging`. No models, no refs.
"""
