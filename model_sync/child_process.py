"""Run a module of this package in a process of its own, and wait for its end.

A model may crash its process, take all of its memory, or leave caches warm. In a child process
none of this harms the publisher or distorts the next measurement.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from inference.loading.session_threads import MEMORY_VARIABLE
from model_sync.errors import OutOfTimeError, TrialError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_store.layout import StoreLayout
    from model_sync.time_limit import TimeLimit

PREDICT_MEMORY_VARIABLE: Final = "PREDICT_MEMORY_MB"
"""Memory in MB of the function that will serve the model, which determines its processors.
Without this variable a trial uses as many processors as the publisher has."""

_IMPORTED_FROM: Final = Path(sys.modules["model_sync"].__path__[0]).resolve().parent
"""Folder that holds the package: an installation, a function's code or a repository."""


def run_module(
    module: str,
    arguments: Sequence[str],
    *,
    layout: StoreLayout,
    what: str,
    deadline_s: float,
    time_limit: TimeLimit,
) -> subprocess.CompletedProcess[str]:
    """Run a module to its end and return the process, with its stderr.

    `what` names the work in errors. Raises TrialError if the work is not done by the deadline or a
    signal ends the process; OutOfTimeError if the time limit is shorter and ends the process first.
    """
    left_s = time_limit.seconds_left()
    # Lambda adds its layers to sys.path of this process only, so a child would not find them. The
    # package sets of this process are left out: the child activates its own.
    sets = os.path.abspath(layout.packages) + os.sep  # noqa: PTH100 - strings are compared
    inherited = (path for path in sys.path if path and not path.startswith(sets))
    paths = dict.fromkeys((str(_IMPORTED_FROM), *inherited))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **_predict_memory()}
    try:
        done = subprocess.run(
            # -B: an import of a file beside the pipeline must not write bytecode into the version.
            [sys.executable, "-B", "-m", module, *arguments],
            cwd=_IMPORTED_FROM,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=min(deadline_s, left_s),
            check=False,
        )
    except subprocess.TimeoutExpired:
        if left_s < deadline_s:
            raise OutOfTimeError(
                f"{what} did not end in the {left_s:.0f} s that were left of the invocation: raise "
                "the sync function's timeout_s (900 at most) or its memory_mb (processors come "
                "with it), or publish where the store is mounted"
            ) from None
        raise TrialError(f"{what} did not end within {deadline_s:g} s") from None
    if done.returncode < 0:
        name = signal.Signals(-done.returncode).name
        raise TrialError(f"{what} ended its process with {name}")
    return done


def _predict_memory() -> dict[str, str]:
    """Return the variable by which the child counts processors as the serving function does."""
    text = os.environ.get(PREDICT_MEMORY_VARIABLE, "")
    if not text:
        return {}
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise TrialError(f"{PREDICT_MEMORY_VARIABLE} is {text!r}: expected a number of megabytes")
    return {MEMORY_VARIABLE: text}


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the last line of a failed process's stderr, or its exit code."""
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
