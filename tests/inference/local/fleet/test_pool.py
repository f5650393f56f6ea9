"""A fleet of real environments: who gets a call, what waits, what dies, what is left."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference.local.fleet.errors import EnvironmentEndedError, InvocationError, ThrottledError
from inference.local.fleet.pool import Fleet
from inference.local.fleet.process_supervisor import lives
from inference.local.fleet.slot import NumberedEnvironment
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from inference.local.fleet.environment import LambdaEnvironment
    from inference.local.fleet.pool import Answered

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="linux only: so are environments and how they are stopped"
)

DEADLINE_S = 20.0
LONG_S = 600.0


class Trial:
    """A fleet, the environments that it made, and the lines that it reported."""

    def __init__(self, make: Callable[..., LambdaEnvironment], **options: Any) -> None:
        self.environments: list[LambdaEnvironment] = []
        self.lines: list[str] = []
        numbers = itertools.count(1)

        def numbered() -> NumberedEnvironment:
            self.environments.append(make())
            return NumberedEnvironment(next(numbers), self.environments[-1])

        chosen = {"most": 2, "most_waiting": 2, "idle_s": LONG_S} | options
        self.fleet = Fleet(numbered, report=self.lines.append, **chosen)

    def submit(self, **event: Any) -> Future[Answered]:
        return self.fleet.submit(json.dumps(event).encode())

    def call(self, **event: Any) -> tuple[Any, int]:
        return result(self.submit(**event))

    def pids(self) -> list[int]:
        return [pid for each in self.environments for pid in each.pids()]


def result(answered: Future[Answered]) -> tuple[Any, int]:
    payload, number = answered.result(DEADLINE_S)
    return json.loads(payload), number


@pytest.fixture
def start(make: Callable[..., LambdaEnvironment]) -> Iterator[Callable[..., Trial]]:
    trials: list[Trial] = []

    def start(**options: Any) -> Trial:
        trials.append(Trial(make, **options))
        return trials[-1]

    yield start
    for trial in trials:
        pids = trial.pids()
        trial.fleet.stop()
        assert [pid for pid in pids if lives(pid)] == []


def held(trial: Trial, folder: Path, name: str) -> Future[Answered]:
    """Submit a call that is answered once `folder/go` is there."""
    return trial.submit(do="hold", begun=str(folder / name), go=str(folder / "go"))


def test_one_caller_needs_one_environment(start: Callable[..., Trial]) -> None:
    trial = start(most=4)
    answers = [trial.call() for _ in range(10)]
    assert [answer["calls"] for answer, _ in answers] == list(range(1, 11))
    assert {number for _, number in answers} == {1}
    assert len(trial.environments) == 1


def test_calls_at_once_each_have_an_environment_and_the_rest_wait(
    start: Callable[..., Trial], tmp_path: Path
) -> None:
    trial = start(most=2, most_waiting=2)
    under_way = [held(trial, tmp_path, name) for name in ("a", "b")]
    waiting = [held(trial, tmp_path, name) for name in ("c", "d")]
    wait_until(lambda: (tmp_path / "a").exists() and (tmp_path / "b").exists())
    with pytest.raises(ThrottledError, match="all 2 environments are busy and 2 calls wait"):
        trial.submit()
    assert not (tmp_path / "c").exists()

    (tmp_path / "go").touch()
    numbers = [result(call)[1] for call in under_way + waiting]
    assert sorted(numbers[:2]) == [1, 2]
    assert set(numbers) == {1, 2}
    assert len(trial.environments) == 2
    assert trial.call()[0]["calls"] > 1


def test_a_call_that_is_given_up_while_it_waits_is_not_made_and_leaves_room(
    start: Callable[..., Trial], tmp_path: Path
) -> None:
    trial = start(most=1, most_waiting=1)
    first = held(trial, tmp_path, "a")
    wait_until((tmp_path / "a").exists)
    given_up = held(trial, tmp_path, "b")
    assert given_up.cancel()
    third = held(trial, tmp_path, "c")

    (tmp_path / "go").touch()
    assert [result(call)[0]["calls"] for call in (first, third)] == [1, 2]
    assert not (tmp_path / "b").exists()


def test_between_calls_an_environment_makes_no_progress(
    start: Callable[..., Trial], tmp_path: Path
) -> None:
    trial = start(most=1)
    files = [tmp_path / "thread", tmp_path / "process"]

    def ticks() -> list[int]:
        return [int.from_bytes(file.read_bytes(), "little") for file in files]

    def state(pid: int) -> str:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]

    trial.call(do="tick", files=[str(file) for file in files])
    wait_until(lambda: {state(pid) for pid in trial.pids()} == {"T"})
    assert len(trial.pids()) == 3  # the emulator, the runtime, the ticker
    before = ticks()
    for _ in range(20):
        assert ticks() == before
    trial.call()
    assert all(now >= then for now, then in zip(ticks(), before, strict=True))


def test_what_the_handler_raises_fails_the_call_and_keeps_the_environment(
    start: Callable[..., Trial],
) -> None:
    trial = start()
    with pytest.raises(InvocationError, match="ValueError: no such model"):
        trial.call(do="fail")
    assert trial.call() == ({"calls": 2, "pid": trial.pids()[1]}, 1)


def test_an_environment_that_dies_under_a_call_is_replaced(start: Callable[..., Trial]) -> None:
    trial = start()
    assert trial.call()[1] == 1
    with pytest.raises(InvocationError, match="exit status 3") as failure:
        trial.call(do="leave")
    assert failure.value.error_type == "Runtime.ExitError"
    assert trial.call()[0]["calls"] == 1
    assert trial.call()[1] == 2
    assert trial.environments[0].pids() == ()
    assert any("environment 1 has ended: Runtime.ExitError" in line for line in trial.lines)


@pytest.mark.parametrize("which", [0, 1], ids=["its emulator", "its runtime"])
def test_a_call_never_finds_an_environment_that_died_before_it(
    start: Callable[..., Trial],
    which: int,
) -> None:
    trial = start(most=1)
    trial.call()
    wait_until(lambda: trial.environments[0]._freezer.frozen)
    killed = trial.pids()[which]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not lives(killed))

    answer, number = trial.call()
    assert (answer["calls"], number) == (1, 2)
    assert "environment 1 has ended: it died between two calls" in trial.lines
    assert trial.environments[0].pids() == ()


def test_an_environment_without_calls_is_let_go(start: Callable[..., Trial]) -> None:
    trial = start(idle_s=0.05)
    trial.call()
    wait_until(lambda: trial.environments[0].pids() == ())
    wait_until(lambda: trial.call()[1] >= 2)


def test_waiting_calls_are_answered_although_every_environment_dies(
    start: Callable[..., Trial],
) -> None:
    trial = start(most=1, most_waiting=10)
    calls = [trial.submit(do="leave" if number % 2 else "count") for number in range(8)]
    for number, call in enumerate(calls):
        if number % 2:
            with pytest.raises(InvocationError):
                call.result(DEADLINE_S)
        else:
            assert result(call)[0]["calls"] == 1


def test_stopping_ends_what_hangs_and_what_waits(
    start: Callable[..., Trial], tmp_path: Path
) -> None:
    trial = start(most=1)
    hanging = held(trial, tmp_path, "a")
    waiting = trial.submit()
    wait_until((tmp_path / "a").exists)
    trial.fleet.stop()
    with pytest.raises(EnvironmentEndedError):
        hanging.result(DEADLINE_S)
    with pytest.raises(CancelledError):
        waiting.result(DEADLINE_S)
    with pytest.raises(ThrottledError, match="ending"):
        trial.submit()
    trial.fleet.stop()


def test_what_the_function_prints_is_reported_without_lambdas_own_lines(
    start: Callable[..., Trial],
) -> None:
    trial = start(most=1)

    def reported() -> bool:
        trial.call()
        return bool(trial.lines)

    wait_until(reported)
    assert trial.lines == ["the module is loading"]


def test_an_environment_that_does_not_start_fails_its_call_alone(
    start: Callable[..., Trial], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "broken"
    script.write_text("#!/bin/sh\necho out of order\nexit 9\n")
    script.chmod(0o755)
    trial = start(most=1)
    with monkeypatch.context() as patched:
        patched.setattr("inference.local.fleet.emulator_binary.emulator_path", lambda: script)
        with pytest.raises(EnvironmentEndedError, match="did not start: out of order"):
            trial.call()
    assert trial.call()[1] == 2
