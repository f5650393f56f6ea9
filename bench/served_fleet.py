"""A fleet in a separate process that serves any handler, for measurements over HTTP.

Script of that process: `python -m bench.served_fleet HANDLER ENVIRONMENTS MEMORY_MB`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT: Final = Path(__file__).resolve().parent.parent
_STOP_S: Final = 60.0


@contextmanager
def served_fleet(
    handler: str, environ: Mapping[str, str], *, environments: int, memory_mb: int, log: Path
) -> Iterator[str]:
    """Serve a handler by a fleet; yield its address, and stop the fleet at the end."""
    command = [sys.executable, "-m", "bench.served_fleet", handler]
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [*command, str(environments), str(memory_mb)],
            cwd=ROOT,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        ready = process.stdout.readline() if process.stdout else ""
        if not ready:
            raise RuntimeError(f"{handler} is not served: {log.read_text('utf-8')}")
        yield ready.split()[-1]
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def _main(handler: str, environments: str, memory_mb: str) -> None:
    sys.stdout = sys.stderr  # as `serve` does: stdout has only the line that the server is ready
    from inference.local.fleet.command import FleetOptions, serve_fleet  # noqa: PLC0415 - it logs

    options = FleetOptions(int(environments), int(memory_mb), idle_s=3600)
    serve_fleet(handler, os.environ, options, port=0)


if __name__ == "__main__":
    _main(*sys.argv[1:])
