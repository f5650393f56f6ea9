"""Load one version: plan, read and verify its bytes, open the session, run golden cases.

Start at `loader`. `inference.serving` decides which version to load, and when. `model_sync` imports
this package to try versions before it publishes them.
"""
