"""Publish to a deployed stage: find its stack, upload, call its sync function.

Start at `client`. Runs on the caller's machine; the function's side is
`model_sync.sync_job`.
"""
