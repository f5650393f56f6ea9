"""Sources of a model's bytes: a folder, S3, an upload; and `model.toml`.

Start at `source`, the interface, and `recipe`. Nothing here writes to a store.
"""
