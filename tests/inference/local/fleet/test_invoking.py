"""HTTP answers to a caller if the function has not answered."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from inference.local.fleet.http_answers import FleetAnswers
from inference.local.fleet.pool import Fleet
from inference.local.fleet.slot import NumberedEnvironment
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from inference.local.fleet.environment import LambdaEnvironment

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="linux only: so are environments and how they are stopped"
)

DEADLINE_S = 20.0


@pytest.fixture
def fleet(make: Callable[..., LambdaEnvironment]) -> Iterator[Fleet]:
    numbers = itertools.count(1)

    def numbered() -> NumberedEnvironment:
        return NumberedEnvironment(next(numbers), make())

    with Fleet(numbered, most=1, most_waiting=0, idle_s=600, report=lambda _: None) as fleet:
        yield fleet


def ask(fleet: Fleet, event: dict[str, Any], *, waits_s: float = DEADLINE_S) -> dict[str, Any]:
    async def call() -> dict[str, Any]:
        return await FleetAnswers(fleet, waits_s=waits_s)(event)

    return asyncio.run(call())


def error(answer: dict[str, Any]) -> tuple[int, str]:
    text = json.loads(answer["body"])["error"]
    assert "\n" not in text
    return answer["statusCode"], text


def test_the_functions_answer_is_passed_on_with_who_gave_it(fleet: Fleet) -> None:
    given = {"statusCode": 201, "headers": {"a": "b"}, "body": "xyz"}
    answer = ask(fleet, {"do": "echo", "answer": given})
    assert answer == given | {"headers": {"a": "b", "Coldpress-Environment": "1"}}


def test_an_answer_in_another_form_is_refused(fleet: Fleet) -> None:
    assert error(ask(fleet, {})) == (502, "the function's answer is not in API Gateway's form")


def test_a_handler_that_raises_is_a_bad_gateway(fleet: Fleet) -> None:
    found = error(ask(fleet, {"do": "fail"}))
    assert found == (502, "the function failed: ValueError: no such model")


def test_an_environment_that_dies_under_a_call_is_a_bad_gateway(fleet: Fleet) -> None:
    status, text = error(ask(fleet, {"do": "leave"}))
    assert status == 502
    assert text.startswith("the function failed: Runtime.ExitError: ")
    assert "exit status 3" in text


def test_a_call_that_there_is_no_room_for_is_throttled(fleet: Fleet, tmp_path: Path) -> None:
    hold = {"do": "hold", "begun": str(tmp_path / "begun"), "go": str(tmp_path / "go")}
    busy = fleet.submit(json.dumps(hold).encode())
    wait_until((tmp_path / "begun").exists)
    answer = ask(fleet, {})
    assert error(answer) == (429, "throttled: all 1 environments are busy and 0 calls wait")
    assert answer["headers"]["Retry-After"] == "1"
    (tmp_path / "go").touch()
    assert busy.result(DEADLINE_S).environment == 1


def test_a_call_that_takes_too_long_is_given_up_and_the_environment_goes_on(
    fleet: Fleet, tmp_path: Path
) -> None:
    hold = {"do": "hold", "begun": str(tmp_path / "begun"), "go": str(tmp_path / "go")}
    assert error(ask(fleet, hold, waits_s=0.05)) == (503, "no environment has answered in 0.05 s")
    wait_until((tmp_path / "begun").exists)
    (tmp_path / "go").touch()

    def answers_again() -> bool:
        answer = ask(fleet, {"do": "echo", "answer": {"statusCode": 200}})
        return "Coldpress-Environment" in answer["headers"]

    wait_until(answers_again)
