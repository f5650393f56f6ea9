"""Many versions published under a fleet that answers on: no call fails, and none is wrong."""

from __future__ import annotations

import subprocess
import sys
from collections import deque
from typing import TYPE_CHECKING

import pytest

from bench.steady_load import STEP, Call, SteadyLoad
from tests.support.commands import serving
from tests.support.places import ROOT
from tests.support.stores import publish_adder

if TYPE_CHECKING:
    from pathlib import Path

DEADLINE_S = 240
ENVIRONMENTS = 4

PUBLISHER = """
import sys
from pathlib import Path
from tests.support.stores import publish_adder

store, step, first, last = Path(sys.argv[1]), float(sys.argv[2]), *map(int, sys.argv[3:])
for number in range(first, last + 1):
    assert publish_adder(store, number * step).version == number
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the Lambda runtime exists on Linux only"
)


def went_back(calls: list[Call]) -> bool:
    """Return True if a later call was answered by an older version than an earlier call."""
    newest, answered = 0, deque(sorted(calls, key=lambda call: call.answered_at))
    for call in sorted(calls, key=lambda call: call.sent_at):
        while answered and answered[0].answered_at < call.sent_at:
            newest = max(newest, answered.popleft().version)
        if call.version < newest:
            return True
    return False


@pytest.fixture
def stepping_store(tmp_path: Path) -> Path:
    publish_adder(tmp_path / "store", STEP)
    return tmp_path / "store"


@pytest.mark.parametrize(
    "versions",
    [pytest.param(20, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.exhaustive)],
)
def test_versions_come_under_load_without_a_failed_or_a_wrong_answer(
    stepping_store: Path, tmp_path: Path, versions: int
) -> None:
    fleet = ["--runtime", "lambda", "--environments", str(ENVIRONMENTS), "--memory", "1769"]
    numbers = [str(STEP), "2", str(versions + 1)]
    often = {"REF_TTL_S": "0.1"}  # or most versions would come and go between two looks
    with serving(tmp_path / "stderr", "--store", stepping_store, *fleet, env=often) as server:
        infer = "/v2/models/adder/infer"
        with SteadyLoad(server.url, infer, clients=ENVIRONMENTS, period_s=0.01) as load:
            load.wait_until(lambda: len(load.newest_by_environment()) == ENVIRONMENTS, "starting")
            subprocess.run(
                [sys.executable, "-c", PUBLISHER, stepping_store, *numbers],
                cwd=ROOT,
                timeout=DEADLINE_S,
                check=True,
            )
            newest = dict.fromkeys(range(1, ENVIRONMENTS + 1), versions + 1)
            # A call goes to who answered last: without a rush, one of them may get none any more.
            with SteadyLoad(server.url, infer, clients=2 * ENVIRONMENTS) as rush:
                rush.wait_until(lambda: rush.newest_by_environment() == newest, "the last swap")
        ended = server.end()

    calls = [*load.calls, *rush.calls]
    assert [call for call in calls if call.problem] == []
    assert [call for call in calls if not call.right or call.named is None] == []
    for number in newest:
        assert not went_back([call for call in calls if call.environment == number])
    assert len({call.version for call in calls}) > versions / 2
    assert ended.code == 0
    assert "has ended" not in ended.err
