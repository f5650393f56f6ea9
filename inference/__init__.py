"""The reader: load published versions from the store and answer requests with them.

Entry points are `inference.predict_function` (the Lambda handler) and `python -m inference` (the
same handler on one machine). `inference` imports `model_store` and never `model_sync`.
"""

from __future__ import annotations

import os

from inference.process.memory import keep_one_heap

# Set before ONNX Runtime is imported anywhere. Its telemetry writes a device id and usage data to
# the home folder and sends them to Microsoft, which also costs each process some milliseconds.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Before any thread allocates: evictions lower memory only with one heap (process/memory.py).
keep_one_heap()
