"""A writer may be killed at any system call: readers see what was before or what is after.

The killing is kill_runs.py's; each scenario (kill_scenarios.py) is a process of its own. `make
test-exhaustive` tries every call that writes, too. `pytest -rP` shows how many points were tried.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.kill_scenarios import SCENARIOS
from tests.support.kill_children import MISSING
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of one's own is made in it
EACH = pytest.mark.parametrize("scenario", SCENARIOS)


def _run(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module that prints JSON; its other output is shown if the test fails."""
    assert shutil.which("strace"), MISSING
    command = [sys.executable, "-m", f"tests.faults.{module}", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture
def fast(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one: an fsync costs nothing there, and counts the same."""
    if not os.access(MEMORY, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(prefix="coldpress-kill-", dir=MEMORY) as folder:
        yield Path(folder)


@pytest.mark.slow
@EACH
def test_killed_at_any_call_a_writer_leaves_the_old_state_or_the_new_one(
    scenario: str, fast: Path
) -> None:
    found = _run("kill_runs", scenario, str(fast))
    points = sum(found["points"].values())
    sys.stdout.write(f"{scenario}: killed at {points} points: {found['points']}\n")
    assert found["failures"] == []
    assert points >= SCENARIOS[scenario].fewest
    assert found["points"]["fsync"] >= 3


@pytest.mark.exhaustive
@EACH
def test_killed_at_any_call_that_writes_too(scenario: str, fast: Path) -> None:
    found = _run("kill_runs", scenario, str(fast), "--all-writes")
    points = sum(found["points"].values())
    sys.stdout.write(f"{scenario}: killed at {points} points: {found['points']}\n")
    assert found["failures"] == []
    assert points >= SCENARIOS[scenario].fewest
