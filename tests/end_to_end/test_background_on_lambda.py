"""Background work in the real Lambda runtime, frozen between calls: with the extension and without.

The emulator holds an answer back until the extension is done, which Lambda does not: what is
counted is calls, and how far the work came between them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from bench.events import http_event
from inference.local.fleet.environment import LambdaEnvironment
from inference.local.fleet.errors import InvocationError
from tests.support.models import adder_request
from tests.support.places import ROOT
from tests.support.stores import publish_adder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Make = Callable[..., LambdaEnvironment]


pytestmark = [
    pytest.mark.store_of("one_version"),
    pytest.mark.skipif(sys.platform != "linux", reason="the Lambda runtime exists on Linux only"),
]

HANDLER = """
import os, time
from inference.process.background import Background
from inference.lambda_runtime.extension import extended

background = Background()
version, progress = 1, 0.0

def load(processor_s):
    global version, progress
    while (used := time.thread_time()) < processor_s:
        progress = used / processor_s
    version = 2

def answer(event, context):
    if "load_s" in event:
        background.start(lambda: load(event["load_s"]), "load")
    if "fail" in event:
        raise ValueError(event["fail"])
    return {"version": version, "progress": progress, "pid": os.getpid()}

handler = extended(answer, background, os.environ)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    (tmp_path / "app.py").write_text(HANDLER)
    made: list[LambdaEnvironment] = []

    def make(
        mode: str, *, handler: str = "app.handler", timeout_s: int = 30, **environ: str
    ) -> LambdaEnvironment:
        environment = LambdaEnvironment(
            handler,
            environ={"BACKGROUND": mode, "PYTHONPATH": str(ROOT), **environ},
            cwd=tmp_path,
            timeout_s=timeout_s,
            frozen_between_calls=True,
        ).start()
        made.append(environment)
        return environment

    yield make
    for environment in made:
        environment.stop()


def call(environment: LambdaEnvironment, **event: Any) -> dict[str, Any]:
    answer: dict[str, Any] = environment.invoke(event)
    return answer


def test_with_threads_alone_a_load_hardly_goes_on_between_calls(make: Make) -> None:
    environment = make("thread")
    call(environment, load_s=3)
    answers = [call(environment) for _ in range(10)]
    assert {each["version"] for each in answers} == {1}
    assert 0 < answers[-1]["progress"] < 0.5


def test_callers_that_never_pause_are_kept_waiting_by_no_load(make: Make) -> None:
    environment = make("auto")
    call(environment)
    call(environment, load_s=3)
    answers = [call(environment) for _ in range(10)]
    assert {each["version"] for each in answers} == {1}
    assert 0 < answers[-1]["progress"] < 0.5


def test_where_callers_pause_the_next_call_finds_what_was_loaded(make: Make) -> None:
    environment = make("auto")
    call(environment)
    time.sleep(2)  # the pause: frozen, so nothing happens in it
    assert call(environment, load_s=0.1)["version"] == 1
    assert call(environment)["version"] == 2


def test_with_the_extension_the_next_call_finds_what_was_loaded(make: Make) -> None:
    environment = make("extension")
    before = call(environment)
    assert call(environment, load_s=0.5)["version"] == 1
    after = call(environment)
    assert (after["version"], after["pid"]) == (2, before["pid"])


def test_the_first_call_of_an_environment_may_begin_a_load(make: Make) -> None:
    environment = make("extension")
    assert call(environment, load_s=0.3)["version"] == 1
    assert call(environment)["version"] == 2


def test_a_call_that_fails_is_followed_by_the_load_that_it_began(make: Make) -> None:
    environment = make("extension")
    with pytest.raises(InvocationError, match="ValueError: no such model"):
        call(environment, load_s=0.3, fail="no such model")
    assert call(environment)["version"] == 2


def test_a_load_longer_than_the_functions_timeout_times_no_call_out(make: Make) -> None:
    environment = make("extension", timeout_s=2)
    progress = [call(environment, load_s=1.5)["progress"]]
    while (answer := call(environment))["version"] == 1:
        progress.append(answer["progress"])
        assert len(progress) < 50
    assert progress == sorted(progress)
    assert len(progress) > 1


PIPELINE = """
import json, time

while time.thread_time() < {processor_s}:
    pass

def decode(request):
    return json.loads(request.body)

def encode(outputs, request):
    return {{}}
"""
"""Its import, which is part of a load, takes so much of a processor."""


@pytest.fixture
def serving(store: Path, make: Make) -> Callable[[str], LambdaEnvironment]:
    return lambda mode: make(
        mode, handler="inference.predict_function.handler", STORE_PATH=str(store), REF_TTL_S="0"
    )


def version(environment: LambdaEnvironment) -> int:
    body = json.dumps(adder_request([1, 2])).encode()
    answer = environment.invoke(http_event("/v2/models/adder/infer", body))
    assert answer["statusCode"] == 200, answer
    return int(answer["headers"]["Coldpress-Version"])


def test_a_version_that_loads_slowly_is_served_by_the_call_after_the_one_that_saw_it(
    serving: Callable[[str], LambdaEnvironment], store: Path
) -> None:
    environment = serving("extension")
    assert version(environment) == 1
    publish_adder(store, 20, pipeline=PIPELINE.format(processor_s=0.5))
    assert version(environment) == 1
    assert version(environment) == 2


def test_with_threads_alone_calls_go_on_being_answered_by_the_version_before(
    serving: Callable[[str], LambdaEnvironment], store: Path
) -> None:
    environment = serving("thread")
    assert version(environment) == 1
    publish_adder(store, 20, pipeline=PIPELINE.format(processor_s=2))
    assert [version(environment) for _ in range(6)] == [1] * 6
