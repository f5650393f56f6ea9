"""Child processes that end with this process, descendants included. Linux only.

However this process ends, by an error, by Ctrl-C or by SIGKILL, no process that it started is left.
The work is done by inference/local/fleet/process_supervisor.py.
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

SUPERVISOR: Final = REPOSITORY / "inference/local/fleet/process_supervisor.py"
"""Run as a script, and never imported: infra imports no package that it packs."""

_STOP_S: Final = 15.0


@contextlib.contextmanager
def supervised(
    command: Sequence[str | Path], *, log: Path, cwd: Path, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with its output in `log`; end it and its descendants on exit.

    Yields the supervisor, which ends when the command does, with the command's exit code.
    """
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-I", "-S", SUPERVISOR, *command],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=environ,
            # Else a terminal's Ctrl-C would end the supervisor before its children.
            start_new_session=True,
        )
    try:
        yield supervisor
    finally:
        _stop(supervisor)


def last_words(log: Path) -> str:
    """Return the last line of a log that is not empty."""
    lines = log.read_text("utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    """Let the supervisor end all: it sends SIGTERM, and after three seconds SIGKILL."""
    if supervisor.stdin:
        supervisor.stdin.close()
    try:
        supervisor.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
