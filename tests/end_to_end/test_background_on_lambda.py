"""Background work in the real Lambda runtime, frozen between calls: with the extension and without.

The emulator holds an answer back until the extension is done, which Lambda does not: what is
counted is calls, and how far the work came between them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference.fleet.environment import LambdaEnvironment
from inference.fleet.errors import InvocationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., LambdaEnvironment]

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the Lambda runtime exists on Linux only"
)

HANDLER = """
import os, time
from inference.background import Background
from inference.extension import extended

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

    def make(mode: str, timeout_s: int = 30) -> LambdaEnvironment:
        environ = {"BACKGROUND": mode, "PYTHONPATH": str(ROOT)}
        environment = LambdaEnvironment(
            "app.handler",
            environ=environ,
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
