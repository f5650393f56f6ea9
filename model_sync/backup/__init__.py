"""Back up a store to a folder, and restore a store from a backup.

Start at `backup` and `restore`. Works on files alone: no model is loaded.
"""
