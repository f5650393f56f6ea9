"""The reader: loads published versions from the store and answers with them.

Entry points are `inference.predict_function` (the Lambda handler) and `python -m inference` (the same
handler on one machine). This room imports `model_store` and never `model_sync`.
"""

from __future__ import annotations

import os

from inference.process.memory import keep_one_heap

# Set before ONNX Runtime is imported anywhere: it would keep a device id and usage in the home
# folder and report them to its makers, which also costs each process some milliseconds.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# Before any thread allocates: memory of what is let go falls only with one heap (process/memory.py).
keep_one_heap()
