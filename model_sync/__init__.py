"""The writer: makes versions and publishes them. No other package writes to a store.

`python -m model_sync` is the entry point; `publish` is the main verb. Of `inference` the writer
imports only the code that loads and runs a version: a version is tried by the code that serves it.
"""
