"""Operations on a mounted store, by name.

Start at `operations.OPERATIONS`. Parsing and printing are in `model_sync.cli`.
"""
