"""Processes that end when this one does, with all that came from them: inference/local/fleet/process_supervisor.py.

However this process ends, by an error, by Ctrl-C or by SIGKILL, nothing that it started is left.
Linux only.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from infra.bundling.function_code import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

KEEPER: Final = REPOSITORY / "inference/local/fleet/process_supervisor.py"
"""Run as a script, and never imported: infra imports no room that it packs."""

_STOP_S: Final = 15.0


@contextlib.contextmanager
def kept(
    command: Sequence[str | Path], *, log: Path, cwd: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, what it prints into `log`, and end it and all that it started at the end.

    What is given is its keeper: it ends when the command does, with the command's exit code.
    """
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-I", "-S", KEEPER, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environ,
            # A terminal's Ctrl-C would reach all of them, and the keeper before its work is done.
            start_new_session=True,
        )
    try:
        yield keeper
    finally:
        _stop(keeper)


def last_words(log: Path) -> str:
    """The last thing that was printed."""
    lines = log.read_text("utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _stop(keeper: subprocess.Popen[bytes]) -> None:
    """Have the keeper end them all: it asks, and after three seconds does not ask any more."""
    if keeper.stdin:
        keeper.stdin.close()
    try:
        keeper.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(keeper.pid, signal.SIGKILL)
        keeper.wait()
