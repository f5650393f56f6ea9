"""The sync function: requests and S3 events, handled beside the mounted store.

Start at `handler`. The caller's side of a request is `model_sync.stage.client`.
"""
