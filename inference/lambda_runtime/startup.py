"""Import the packages that answering needs, as fast as possible.

A function's entry point imports this module before anything else that imports these packages. Most
of the cold start of a small model is imports, and most of the imports are these packages
(docs/performance.md has what each measure saves):

- Modules that these packages import and no call uses are deferred (deferred_imports.py).
- The garbage collector is off during the imports. The objects that a module defines stay alive, so
  the collector would scan them 70 times and free nothing. Later collections skip them as well.
- NumPy's linear algebra (OpenBLAS) computes in the calling thread. By default it starts a thread
  for each further processor. These threads spin for a tenth of a second and take processor time
  from the threads that read a model. For a pipeline that needs them, set one of `BLAS_THREADS`.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module
from typing import Final

from inference.lambda_runtime.deferred_imports import deferred

PACKAGES: Final = (
    "numpy",
    "onnxruntime",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.metrics",
)

UNUSED: Final = ("asyncio", "gzip", "ipaddress", "pickle", "tempfile", "zipfile")
"""Modules that these packages import and no call uses, unless a model's own code does."""

BLAS_THREADS: Final = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""Variables that OpenBLAS reads once, when it is loaded; the first one that is set counts."""

if not any(name in os.environ for name in BLAS_THREADS):
    os.environ[BLAS_THREADS[0]] = "1"
gc.disable()
with deferred(*UNUSED):
    from inference.loading.early_reads import begin
early: Final = begin(os.environ)
"""Reads of the store that run during these imports (loading/early_reads.py)."""
with deferred(*UNUSED):
    for package in PACKAGES:
        import_module(package)
gc.freeze()
gc.enable()
