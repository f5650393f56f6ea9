"""Publish a model: stage, inspect, try, commit.

Start at `publish`, then `publication`. Sources are in `model_sync.sources`, refs in
`model_sync.refs`.
"""
