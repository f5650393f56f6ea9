"""Delete versions, preparations and package sets that no reader may use any more.

Start at `verb`; the decisions are in `plan`. Retiring a version is `model_sync.admin`.
"""
