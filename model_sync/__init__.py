"""The writer: makes versions and publishes them. Nothing else writes to a store.

`python -m model_sync` is its entry point; `publish` its main verb. Of `inference` it imports
only what loads and runs a version: what is published is tried by the very code that will serve it.
"""
