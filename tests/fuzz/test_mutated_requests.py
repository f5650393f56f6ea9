"""Right requests, spoilt a little: each has an answer, and what goes wrong is said, in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.fuzz.keeping import fault
from tests.fuzz.mutations import Fuzz
from tests.fuzz.running import Measured, failures, fuzzed_application
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

GROWTH_MB = 8.0
"""Memory that two thirds of the calls may leave: some 120 bytes each, of 100,000 calls."""
ENDING = 2
"""Threads that have done their work and may not have ended yet."""

GOOD: dict[str, Any] = {
    "statusCode": 404,
    "headers": {"Content-Type": "application/json", "Coldpress-Request-Id": "a"},
    "body": json.dumps({"error": "no"}),
    "isBase64Encoded": False,
}
WRONG: dict[str, dict[str, Any]] = {
    "a status that is no number": {"statusCode": "404"},
    "a status that is not ours": {"statusCode": 502},
    "a failure of nobody's": {"statusCode": 500},
    "a header of two lines": {"headers": GOOD["headers"] | {"a": "b\r\nc: d"}},
    "no headers": {"headers": None},
    "no request id": {"headers": {"Content-Type": "application/json"}},
    "a body that is no text": {"body": b"{}"},
    "a body that JSON cannot hold": {"body": object()},
    "half a surrogate": {"body": '{"error": "\ud800"}'},
    "no base64": {"isBase64Encoded": True},
    "an error of two lines": {"body": json.dumps({"error": "a\nb"})},
    "an error that says nothing": {"body": json.dumps({"error": ""})},
    "an error of pages": {"body": json.dumps({"error": "a" * 1001})},
    "an error with more in it": {"body": json.dumps({"error": "a", "trace": "b"})},
    "a traceback": {"body": json.dumps({"error": "Traceback (most recent call last)"})},
    "something else": {"multiValueHeaders": {}},
}


def test_mutated_requests_are_answered(fuzzed_store: Path) -> None:
    found = failures(fuzzed_application(fuzzed_store), seed=26, numbers=range(3000))
    assert not found, "\n".join(map(str, found[:10]))


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(40_000, marks=pytest.mark.slow),
        pytest.param(100_000, marks=pytest.mark.exhaustive),
    ],
)
def test_so_many_mutated_requests_are_answered_and_leave_nothing(
    fuzzed_store: Path, count: int
) -> None:
    command = [sys.executable, "-m", "tests.fuzz.running", "--store", str(fuzzed_store)]
    done = subprocess.run(
        [*command, "--seed", "1126", "--count", str(count)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,  # the handler's log
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-20_000:]
    report = json.loads(done.stderr.splitlines()[-1])
    assert report.pop("failed") == 0
    measured = Measured(**report)
    before, after = measured.rss_mb
    assert after - before < GROWTH_MB, measured
    for before, after in (measured.threads, measured.files):
        assert after <= before + ENDING, measured


def test_a_case_is_the_same_each_time_and_by_itself() -> None:
    cases = [Fuzz(1).event(number) for number in range(300)]
    fuzz = Fuzz(1)
    assert [fuzz.event(number) for number in reversed(range(300))] == cases[::-1]
    assert [Fuzz(2).event(number) for number in range(300)] != cases


def test_a_right_answer_has_no_fault() -> None:
    assert fault(lambda *_: dict(GOOD), {"rawPath": "/"}) is None


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_found(change: dict[str, Any]) -> None:
    assert fault(lambda *_: GOOD | change, {"rawPath": "/"})


def test_a_case_that_fails_says_how_to_try_it_alone() -> None:
    def handler(*_: object) -> dict[str, Any]:
        raise RuntimeError("away")

    (failure,) = failures(handler, 7, [41])
    assert "raised RuntimeError('away')" in str(failure)
    assert "--seed 7 --first 41 --count 1" in str(failure)
