"""Load one version: plan, read and verify its bytes, open the session, run golden cases.

Start at `loader`. Which version to load and when is decided in `inference.serving`;
`model_sync` imports this package to try what it publishes.
"""
