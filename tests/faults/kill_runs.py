"""Kill a scenario's writer at each of its system calls: `python -m tests.faults.kill_runs`.

    python -m tests.faults.kill_runs "first publish" FOLDER [--writes N | --all-writes]

1. Run the act to its end under strace, and note each call that changes the store.
2. For each call: restore the store, run the act again, and kill it with SIGKILL as it enters the
   call (strace `inject`: the call does not happen). The effect of a call shows at the kill of the
   next call; the effect of the last call, in the run that was not killed.
3. After each kill: readers see the whole state before or after the act; the act, run again, has the
   usual result (after every third kill, or all); the next publication succeeds.

Print {"points": {call: number}, "failures": [...]} as JSON. Of the calls that write data or create
a file, a seeded sample is tried, or all.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from tests.faults.kill_stage import Stage
from tests.support.kill_children import Ended, run_traced

NAMES: Final = (
    *("link", "linkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat"),
    *("unlink", "unlinkat", "rmdir", "fsync", "fdatasync", "chmod", "fchmod", "fchmodat"),
)
"""Calls that make, move and remove names, and those that make them durable: each is tried."""

WRITES: Final = (
    *("open", "openat", "write", "pwrite64", "writev", "ftruncate", "truncate"),
    *("copy_file_range", "sendfile"),
)
"""Calls that create files and change what is in them; opening to read is left out."""

_CALL: Final = re.compile(r"(\w+)\(")


class Point(NamedTuple):
    """The n-th call of its name, and strace's line of it."""

    call: str
    ordinal: int
    line: str


def find_points(stage: Stage, trace: Path) -> list[Point]:
    """Run the act to its end, and return each of its calls that changes the store."""
    stage.reset()
    ended = run_traced(stage.act, trace, _options(*NAMES, *WRITES))
    if ended.status != 0:
        raise RuntimeError(f"the act fails when it is traced: wait status {ended.status}")
    stage.check(is_over=True)
    counts: Counter[str] = Counter()
    points = []
    for line in ended.lines:
        found = _CALL.match(line)
        if found:
            counts[found[1]] += 1
            if _changes(line, found[1], stage.place.store):
                points.append(Point(found[1], counts[found[1]], line))
    return points


def kill_at(stage: Stage, point: Point, trace: Path) -> Ended:
    """Set the store back and run the act until this call, which does not happen."""
    stage.reset()
    inject = f"inject={point.call}:signal=KILL:when={point.ordinal}"
    ended = run_traced(stage.act, trace, [*_options(point.call), "-e", inject])
    calls = [line for line in ended.lines if _CALL.match(line)]
    if ended.signal != signal.SIGKILL or not _changes(calls[-1], point.call, stage.place.store):
        raise RuntimeError(f"it was not killed at {point}, but ended with {ended}")
    return ended


def choose(points: list[Point], writes: int | None, seed: str) -> list[Point]:
    """All that concern names, and so many of the writes; None: all of them."""
    others = [point for point in points if point.call not in NAMES]
    if writes is not None:
        others = random.Random(seed).sample(others, min(writes, len(others)))  # noqa: S311
    return [point for point in points if point.call in NAMES or point in others]


def _changes(line: str, call: str, store: Path) -> bool:
    """Return True if a call changes the store, and does not only open a file."""
    return str(store) in line and (call not in {"open", "openat"} or "O_CREAT" in line)


def _options(*calls: str) -> list[str]:
    # `?`: not every machine's Linux has every call.
    return ["-y", "-s", "0", "-e", "trace=" + ",".join(f"?{call}" for call in calls)]


def main(scenario: str, folder: Path, writes: int | None) -> None:
    """Try every point of a scenario and print what came of it."""
    stage = Stage(scenario, folder)
    trace = folder / "trace"
    points = choose(find_points(stage, trace), writes, scenario)
    failures = []
    for number, point in enumerate(points):
        kill_at(stage, point, trace)
        try:
            stage.check()
            thorough = writes is None or stage.scenario.sweeps or number % 3 == 0
            if thorough:
                stage.repeat()
            stage.heal(verifies=thorough)
        except Exception as error:  # each is a finding, and there may be more
            failures.append(f"{point.call} {point.ordinal}: {error!r}\n    {point.line}")
    tried = Counter(point.call for point in points)
    json.dump({"points": dict(sorted(tried.items())), "failures": failures}, sys.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--writes", type=int, default=8)
    parser.add_argument("--all-writes", action="store_true")
    given = parser.parse_args()
    main(given.scenario, given.folder, None if given.all_writes else given.writes)
