"""Cut the power at each moment of a scenario's writer: `python -m tests.faults.lost_runs`.

    python -m tests.faults.lost_runs "first publish" FOLDER [--mixtures N] [--no-crashes]

1. Run the act under strace and replay its calls on a disk that loses what was not fsynced.
2. After each call that changed something: replace the store by contents that may have survived, the
   worst case and seeded mixtures, each once. Readers see the whole state before or after the act.
   After the last call of the act, they see the state after it, and only one state can survive,
   except for contents of trash. From the worst case, the act, run again, has the usual result, and
   the next publication succeeds.
3. Kill the act at each call that creates or moves a name, publish another version, and cut the
   power when that has returned: the published version is there. (The next writer must sync names
   that the killed writer created and did not sync.)

Print {"calls", "states", "crashes", "failures"} as JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model_store.refs import State
from tests.faults.kill_runs import find_points
from tests.faults.kill_stage import UMASK, Stage
from tests.faults.kill_trace import OPTIONS, read_calls
from tests.faults.kill_views import TornError, look
from tests.faults.lost_calls import Replay
from tests.faults.lost_writes import Disk, Leaf, Survivors
from tests.support.kill_children import run_traced

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.kill_runs import Point
    from tests.faults.kill_trace import Call

NAMING: Final = frozenset(
    {"mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2", "chmod", "fchmodat"}
)


class PowerCuts:
    """One scenario's power cuts, and what was found wrong."""

    def __init__(self, scenario: str, folder: Path, mixtures: int) -> None:
        self._stage = Stage(scenario, folder)
        self._trace = folder / "trace"
        self._play = self._stage.place.store.parent
        self._mixtures = mixtures
        self._random = random.Random(scenario)  # noqa: S311 - seeded: the same every time
        self._tried: set[tuple[tuple[str, Leaf], ...]] = set()
        self._healed: set[tuple[tuple[str, Leaf], ...]] = set()
        self.counts = {"calls": 0, "states": 0, "crashes": 0}
        self.failures: list[str] = []

    def during(self) -> None:
        """Cut the power after each call of the act."""
        self._stage.reset()
        disk = Disk(self._play)
        ended = run_traced(self._stage.act, self._trace, OPTIONS)
        if ended.status != 0:
            raise RuntimeError(f"the act fails when it is traced: wait status {ended.status}")
        replay = Replay(disk, umask=UMASK)
        for call in read_calls(ended.lines):
            if replay.do(call):
                self.counts["calls"] += 1
                self._cut(disk, f"after call {self.counts['calls']}, {_said(call)}")
        self._compare(disk)
        self._cut(disk, "at the end", is_over=True)

    def after_crashes(self) -> None:
        """Kill the act at each call that names something, publish, and cut the power then."""
        for point in find_points(self._stage, self._trace):
            if point.call in NAMING:
                self.counts["crashes"] += 1
                self._crash(point)

    def _crash(self, point: Point) -> None:
        self._stage.reset()
        disk = Disk(self._play)
        inject = f"inject={point.call}:signal=KILL:when={point.ordinal}"
        ended = run_traced(self._stage.act, self._trace, [*OPTIONS, "-e", inject])
        if ended.signal != signal.SIGKILL:
            raise RuntimeError(f"it was not killed at {point}, but ended with {ended.status}")
        self._replay(disk, ended.lines)
        ended = run_traced(self._stage.publish_next, self._trace, OPTIONS)
        self._replay(disk, ended.lines)
        published, _ = look(self._stage.place.store)
        for survivors in self._survivors(disk):
            self._put(survivors)
            with self._noting(f"killed at {point.line}, then published"):
                found, _ = look(self._stage.place.store)
                if ended.status or found != published:
                    raise TornError(f"what was published, {published}, is {found}")

    def _cut(self, disk: Disk, when: str, *, is_over: bool = False) -> None:
        for number, survivors in enumerate(self._survivors(disk)):
            heals = number == 0 and survivors.leaves not in self._healed
            if survivors.leaves in self._tried and not heals and not is_over:
                continue
            self.counts["states"] += survivors.leaves not in self._tried
            self._tried.add(survivors.leaves)
            self._put(survivors)
            with self._noting(when):
                self._stage.check(is_over=is_over)
                self._check_one_name(survivors)
                if heals:
                    self._healed.add(survivors.leaves)
                    self._stage.repeat()
                    self._stage.heal()

    def _survivors(self, disk: Disk) -> Iterator[Survivors]:
        yield disk.worst()
        for _ in range(self._mixtures):
            yield disk.mixture(self._random)

    def _compare(self, disk: Disk) -> None:
        """Check that nothing depends on luck after the act has returned."""
        lost, kept = (_apart_from_trash(each) for each in (disk.worst(), disk.best()))
        for path in sorted(lost.keys() | kept.keys()):
            if lost.get(path) != kept.get(path):
                self.failures.append(f"at the end, {path} is not durable as it is")

    def _check_one_name(self, survivors: Survivors) -> None:
        """Check that no folder in refs is in staging or trash: emptying those would delete it."""
        _, seen = look(self._stage.place.store)
        named = {
            name
            for entry in (seen.refs.versions.values() if seen else ())
            if entry.state is not State.DELETED
            for name in (entry.id, *entry.preparations.values())
        }
        for paths in survivors.folders_with_two_names():
            if any(Path(path).name in named for path in paths):
                raise TornError(f"one folder has the names {paths}")

    def _put(self, survivors: Survivors) -> None:
        shutil.rmtree(self._play)
        self._play.mkdir()
        survivors.write(self._play)

    def _replay(self, disk: Disk, lines: tuple[str, ...]) -> None:
        replay = Replay(disk, umask=UMASK)
        for call in read_calls(lines):
            replay.do(call)

    def _noting(self, when: str) -> _Noting:
        return _Noting(self.failures, when)


class _Noting:
    """Notes an error as a failure, and goes on."""

    def __init__(self, failures: list[str], when: str) -> None:
        self._failures = failures
        self._when = when

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, Exception):
            self._failures.append(f"{self._when}: {error!r}")
            return True
        return False


def _apart_from_trash(survivors: Survivors) -> dict[str, Leaf]:
    return {
        path: leaf
        for path, leaf in survivors.leaves
        if not path.startswith("store/trash/") and path != "store/trash"
    }


def _said(call: Call) -> str:
    words = (
        part[:200].decode(errors="replace") if isinstance(part, bytes) else part
        for part in call.arguments
    )
    return f"{call.name}({', '.join(words)})"


def main(scenario: str, folder: Path, mixtures: int, *, crashes: bool) -> None:
    """Cut the power everywhere and print what came of it."""
    cuts = PowerCuts(scenario, folder, mixtures)
    cuts.during()
    if crashes:
        cuts.after_crashes()
    json.dump({**cuts.counts, "failures": cuts.failures}, sys.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("scenario")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--mixtures", type=int, default=3)
    parser.add_argument("--no-crashes", dest="crashes", action="store_false")
    given = parser.parse_args()
    main(given.scenario, given.folder, given.mixtures, crashes=given.crashes)
