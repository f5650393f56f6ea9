"""Imports the packages that answering needs, in as short a time as that can take.

To be imported before anything else that imports them, by a function's entry point; what comes after
finds them imported. Of a cold start of a small model, imports are all but everything, and most of
it are these packages (docs/performance.md says what each of the two saves):

- what of them no call uses is put off (deferred.py);
- no garbage is looked for meanwhile. What a module defines stays, so Python's collector looks
  through all of it 70 times and finds nothing. It is told so, too: later collections pass over it.
"""

from __future__ import annotations

import gc
import os
from importlib import import_module
from typing import Final

from inference.deferred import deferred

PACKAGES: Final = (
    "numpy",
    "onnxruntime",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.metrics",
)

UNUSED: Final = ("asyncio", "gzip", "ipaddress", "pickle", "tempfile", "zipfile")
"""What these packages import and no call of ours uses, unless a model's own code does."""

gc.disable()
with deferred(*UNUSED):
    from inference.early import begin
early: Final = begin(os.environ)
"""What is read of the store meanwhile (early.py)."""
with deferred(*UNUSED):
    for package in PACKAGES:
        import_module(package)
gc.freeze()
gc.enable()
