"""`make serve`, started as a reader of a README would, and ended as by Ctrl-C."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

DEADLINE_S: Final = 120


@contextmanager
def serving(command: str, folder: Path, environ: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    """Run the command on a free port instead of 8080; the server's address, and make's process."""
    process = subprocess.Popen(
        shlex.split(command.replace("8080", "0")),
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    try:
        ready = process.stdout.readline()
        assert ready.startswith("coldpress ready http://127.0.0.1:")
        yield ready.split()[-1], process.pid
    finally:
        # As Ctrl-C in a terminal does: the whole foreground group.
        os.killpg(process.pid, signal.SIGINT)
        process.stdout.close()
        process.wait(DEADLINE_S)
