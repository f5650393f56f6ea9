"""Imports the packages that answering needs, in as short a time as that can take.

To be imported before anything else that imports them, by a function's entry point; what comes after
finds them imported. Of a cold start of a small model, imports are all but everything, and most of
it are these packages (docs/performance.md says what each of these saves):

- what of them no call uses is put off (deferred_imports.py);
- no garbage is looked for meanwhile. What a module defines stays, so Python's collector looks
  through all of it 70 times and finds nothing. It is told so, too: later collections pass over it;
- NumPy's linear algebra (OpenBLAS) computes in the thread that asks for it. Left to itself it
  starts one for each further processor that it sees; these spin for a tenth of a second, and take
  what a model is being read with, or the share of a processor that Lambda gives the function.
  Whoever sets one of `BLAS_THREADS` decides otherwise, for a pipeline that needs it.
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
"""What these packages import and no call of ours uses, unless a model's own code does."""

BLAS_THREADS: Final = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
"""The variables that OpenBLAS reads once, when it is loaded; the first that is set counts."""

if not any(name in os.environ for name in BLAS_THREADS):
    os.environ[BLAS_THREADS[0]] = "1"
gc.disable()
with deferred(*UNUSED):
    from inference.loading.early_reads import begin
early: Final = begin(os.environ)
"""What is read of the store meanwhile (loading/early_reads.py)."""
with deferred(*UNUSED):
    for package in PACKAGES:
        import_module(package)
gc.freeze()
gc.enable()
