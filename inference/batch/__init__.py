"""Batch inference: objects in, answers out, over S3 or a folder.

Start at `handler` for S3 events, at `run` for one object. `inference.loading` loads the models.
"""
