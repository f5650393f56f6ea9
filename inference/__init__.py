"""The reader: loads published versions from the store and answers with them.

Entry points are `inference.api` (the Lambda handler) and `python -m inference` (the same
handler on one machine). This room imports `model_store` and never `model_sync`.
"""
