"""Change a model's refs: pure changes, one link to commit, settle.

Start at `transaction`, then `commit`. The only code that writes refs; it touches no model's bytes.
"""
