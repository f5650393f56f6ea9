"""The handler in the real Lambda runtime, frozen between its calls as Lambda freezes it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from bench.events import http_event
from inference.local.fleet.environment import LambdaEnvironment
from inference.local.fleet.errors import InvocationError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.models import adder_request, write_adder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_CALLS = 2000

pytestmark = [
    pytest.mark.store_of("one_version"),
    pytest.mark.skipif(sys.platform != "linux", reason="the Lambda runtime exists on Linux only"),
]


@pytest.fixture
def environment(store: Path) -> Iterator[LambdaEnvironment]:
    environ = {"STORE_PATH": str(store), "DEFAULT_MODEL": "adder", "REF_TTL_S": "0"}
    with LambdaEnvironment(
        "inference.predict_function.handler", environ=environ, cwd=ROOT, frozen_between_calls=True
    ) as started:
        yield started


def infer(environment: LambdaEnvironment) -> dict[str, Any]:
    body = json.dumps(adder_request([1, 2])).encode()
    answer: dict[str, Any] = environment.invoke(http_event("/v2/models/adder/infer", body))
    assert answer["statusCode"] == 200, answer
    return answer


def data(answer: dict[str, Any]) -> list[float]:
    values: list[float] = json.loads(answer["body"])["outputs"][0]["data"]
    return values


def loads(environment: LambdaEnvironment) -> int:
    return environment.logs().count('"message":"a version is warm"')


def test_many_calls_are_answered_by_one_process_after_one_load(
    environment: LambdaEnvironment,
) -> None:
    cold = infer(environment)
    processes = environment.pids()
    for _ in range(20):
        warm = infer(environment)
        assert data(warm) == data(cold) == [11, 12]
        assert warm["headers"]["Coldpress-Version"] == "1"
    assert environment.pids() == processes
    assert loads(environment) == 1


def test_a_new_version_is_taken_up_although_the_environment_only_runs_during_calls(
    environment: LambdaEnvironment, store: Path, tmp_path: Path
) -> None:
    infer(environment)
    write_adder(tmp_path / "adder", 20)
    publish(tmp_path / "adder", store, progress=Silent())
    for _ in range(MOST_CALLS):
        answer = infer(environment)
        version = answer["headers"]["Coldpress-Version"]
        assert data(answer) == {"1": [11, 12], "2": [21, 22]}[version]
        if version == "2":
            break
    else:
        pytest.fail(f"version 2 did not answer within {MOST_CALLS} calls")
    assert loads(environment) == 2


def test_the_probe_says_what_the_environment_is_and_sees(environment: LambdaEnvironment) -> None:
    infer(environment)
    found = environment.invoke({"coldpress": "probe"})
    assert found["generations"] == {"adder": 1}
    assert found["settings"]["default_model"] == "adder"
    assert found["published"] == ["adder"]
    assert len(found["store_ids"]) == 1


def test_an_event_that_is_no_http_call_is_refused_by_name(environment: LambdaEnvironment) -> None:
    with pytest.raises(InvocationError, match="HTTP API events"):
        environment.invoke({"Records": []})


def test_a_wrong_setting_fails_the_start_and_is_named(store: Path) -> None:
    environ = {"STORE_PATH": str(store), "REF_TTL_S": "soon"}
    with (
        LambdaEnvironment(
            "inference.predict_function.handler", environ=environ, cwd=ROOT
        ) as environment,
        pytest.raises(InvocationError, match="REF_TTL_S is 'soon'"),
    ):
        environment.invoke({"coldpress": "probe"})
