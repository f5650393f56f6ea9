"""Starts a module of this room as a process of its own, and waits for it.

What a model does to its process (a crash, all of the memory, state that stays warm) is then not
done to the publisher, and does not flatter what is measured next.
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
"""The memory of the function that will serve what is published, which decides on its processors.
Without it a trial has as many as the publisher."""

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
    """Run a module to its end; what it says on stderr is in what is returned.

    Raises TrialError where `what` it does is not done within the deadline, or a signal ended it;
    OutOfTimeError where less time is left than that, and it does not suffice.
    """
    left_s = time_limit.seconds_left()
    # Lambda puts its layers on sys.path in the process only; a child would not find them. Package
    # sets that this process itself uses are not for it: it finds its own.
    sets = os.path.abspath(layout.packages) + os.sep  # noqa: PTH100 - of strings
    inherited = (path for path in sys.path if path and not path.startswith(sets))
    paths = dict.fromkeys((str(_IMPORTED_FROM), *inherited))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **_as_predicting()}
    try:
        done = subprocess.run(
            # -B: importing a pipeline's neighbour must not leave its bytecode in the version.
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


def _as_predicting() -> dict[str, str]:
    """What has the child count its processors as the function does that will serve the model."""
    text = os.environ.get(PREDICT_MEMORY_VARIABLE, "")
    if not text:
        return {}
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise TrialError(f"{PREDICT_MEMORY_VARIABLE} is {text!r}: expected a number of megabytes")
    return {MEMORY_VARIABLE: text}


def last_line(done: subprocess.CompletedProcess[str]) -> str:
    """What a process that failed said last."""
    lines = done.stderr.strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"
