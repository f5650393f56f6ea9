"""The OpenAPI document, written by hand and checked by tests.

Start at `document`. Imported on request only, never by a cold start.
"""
