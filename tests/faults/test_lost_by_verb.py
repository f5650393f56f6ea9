"""After a power cut, at any moment and after any crash, a store is what it was or what it became.

The cutting is lost_runs.py's, on the model of lost_writes.py. That it would notice is proved by
taking away the writer's fsyncs one by one (`make test-exhaustive`). `pytest -rP` shows the counts.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.faults.kill_scenarios import SCENARIOS
from tests.faults.removed_fsyncs import Fsync, copy_without, find_fsyncs
from tests.support.kill_children import MISSING
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of one's own is made in it

NOTICED_BY: Final = ("new store", "first publish", "package set", "publish in doubt")
"""Where a missing fsync shows; the first that shows it will do."""

NOTICED_ELSEWHERE: Final = {"creation.make_root-1"}
"""What the model of a disk does not need: to it, a folder's mode at its making is as durable as its
name. tests/model_sync/store_io/test_durable_before_visible.py asks for it."""


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="coldpress-lost-", dir=MEMORY) as folder:
        yield Path(folder)


def _cut_power(scenario: str, folder: Path, *, code: Path = ROOT) -> dict[str, Any]:
    assert shutil.which("strace"), MISSING
    command = [sys.executable, "-m", "tests.faults.lost_runs", scenario, str(folder)]
    done = subprocess.run(command, cwd=code, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_whenever_the_power_fails_a_store_is_what_it_was_or_what_it_became(
    scenario: str, fast: Path
) -> None:
    found = _cut_power(scenario, fast)
    failures = found.pop("failures")
    sys.stdout.write(f"{scenario}: {found}\n")
    assert failures == []
    assert found["calls"] >= SCENARIOS[scenario].fewest * 2 // 3
    assert found["states"] >= 6  # settling has the fewest: little is ever in doubt
    assert found["crashes"] >= 2


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "fsync", [each for each in find_fsyncs() if str(each) not in NOTICED_ELSEWHERE], ids=str
)
def test_a_missing_fsync_is_noticed(fsync: Fsync, tmp_path: Path, fast: Path) -> None:
    copy_without(fsync, tmp_path / "code")
    for scenario in NOTICED_BY:
        folder = fast / scenario
        folder.mkdir()
        found = _cut_power(scenario, folder, code=tmp_path / "code")
        if found["failures"]:
            sys.stdout.write(f"{fsync}: {scenario}: {found['failures'][0]}\n")
            return
    pytest.fail(f"nobody notices that {fsync} is missing")
