"""The reader: loads published versions from the store and answers with them.

Entry points are `inference.api` (the Lambda handler) and `python -m inference` (the same
handler on one machine). This room imports `model_store` and never `model_sync`.
"""

from __future__ import annotations

import os

# Set before ONNX Runtime is imported anywhere: it would keep a device id and usage in the home
# folder and report them to its makers, which also costs each process some milliseconds.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
