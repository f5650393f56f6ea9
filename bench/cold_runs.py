"""One cold start: a fresh mount, a fresh process, and the process's own timestamps.

The folder is unmounted and mounted again before each run, which leaves nothing of it in the page
cache. Root's drop_caches would also drop the packages on local disk and the source's own pages, so
a real disk would be measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.efs_stand_in import EfsStandIn
from inference.loading.session_threads import MEMORY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.efs_stand_in import Options
    from inference.local.fleet.cgroups import Limits

ROOT: Final = Path(__file__).resolve().parent.parent
WORKERS: Final = ROOT / "bench" / "cold_workers"
_WORKER_S: Final = 600.0

Range = tuple[str, int, int]
"""Path relative to the mount, offset, and size in bytes."""


class Run(NamedTuple):
    """Measurements of one process: time from its start to its answer, phases, reads."""

    total_ms: float
    phases_ms: Mapping[str, float]
    counts: Mapping[str, int]
    reads: Sequence[Range]
    answer: Mapping[str, Any]
    calls: Sequence[tuple[str, ...]]
    """Each file system call with its paths; empty without `Options.trace`."""

    @property
    def peak_mb(self) -> float:
        """Peak resident memory of the process in MB, mapped files included (VmHWM)."""
        return float(self.answer.get("peak_kib", 0)) * 1024 / 1e6


def run(
    worker: str,
    arguments: Sequence[str],
    source: Path,
    mountpoint: Path,
    options: Options,
    environ: Mapping[str, str],
    limits: Limits | None = None,
) -> Run:
    """Run a worker on a fresh mount, within limits. Raise RuntimeError if the worker fails."""
    command = [sys.executable, str(WORKERS / f"{worker}.py"), *arguments]
    environ = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT), **environ}
    with contextlib.ExitStack() as stack:
        if limits:
            environ[MEMORY_VARIABLE] = str(limits.memory_mb)
            enclosure = limits.enclosure(f"coldpress-cold-{os.getpid()}")
            stack.callback(enclosure.remove)
            enclosure.make()
            command = enclosure.entered_by(command)
        efs = stack.enter_context(EfsStandIn(source, mountpoint, options))
        efs.reset()
        started = time.monotonic()
        done = subprocess.run(
            command, env=environ, stdout=subprocess.PIPE, timeout=_WORKER_S, check=False
        )
        counts = efs.counts()
        reads = merged(efs.reads())
        calls = efs.traced() if options.trace else []
    if done.returncode:
        raise RuntimeError(f"{worker}.py {' '.join(arguments)} ended with {done.returncode}")
    answer = json.loads(done.stdout)
    total_ms = (answer["marks"]["answer"] - started) * 1e3
    return Run(total_ms, phases_ms(answer, started), counts, reads, answer, calls)


def phases_ms(answer: Mapping[str, Any], started: float) -> dict[str, float]:
    """Return the milliseconds of each phase by name, in chronological order."""
    marks = answer["marks"]
    found = {
        "Python starts": marks["python"] - started,
        "imports": marks["imports"] - marks["python"],
    }
    if "phases_ms" in answer:  # phases that the loader logged itself
        steps = {name: took / 1e3 for name, took in answer["phases_ms"].items()}
        found |= steps
        found["other of the load"] = max(0.0, answer["load_ms"] / 1e3 - sum(steps.values()))
    elif "session" in marks:
        found["session"] = marks["session"] - marks["imports"]
    last = "first answer" if "session" in marks else "read"
    found[last] = marks["answer"] - marks.get("session", marks["imports"])
    return {name: took * 1e3 for name, took in found.items()}


def merged(reads: Iterable[Range]) -> list[Range]:
    """Return the same bytes as ranges that neither touch nor overlap, by path and offset."""
    found: list[Range] = []
    for path, start, size in sorted(reads):
        if not size:
            continue
        if found and found[-1][0] == path and start <= found[-1][1] + found[-1][2]:
            _, first, length = found.pop()
            found.append((path, first, max(length, start + size - first)))
        else:
            found.append((path, start, size))
    return found
