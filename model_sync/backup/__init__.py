"""Back up a store to a folder, and restore a store from a backup.

Start at `backup` and `restore`. Both work on files only: no model is loaded.
"""
