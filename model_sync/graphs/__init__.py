"""Inspect and rewrite ONNX graphs.

Start at `inspection` and `optimizer`. Needs `onnx`; only `optimizer` opens a session.
"""
