"""A process is replaced between two calls; everything that can fail leaves it as it was.

The reasons for a replacement: tests/inference/serving/test_recycling_policy.py and
tests/package_sets/test_recycled_environments.py.
"""

from __future__ import annotations

import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from bench.runtime_api import RuntimeApi
from inference.http.limits import PAYLOAD_LIMIT_BYTES
from inference.lambda_runtime.extension import Calls
from inference.lambda_runtime.recycling import LEAST_LEFT_S, Recycler
from inference.local.fleet.environment import LambdaEnvironment
from inference.local.fleet.errors import InvocationError
from inference.serving.recycling_policy import Due
from tests.support.places import ROOT
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LONG_MS: Final = 600_000
ANSWER: Final = {"statusCode": 200}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Lambda runs on Linux")


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with RuntimeApi() as started:
        yield started


def answered(
    api: RuntimeApi, calls: Calls, answer: Any = ANSWER, *, left_ms: float = LONG_MS
) -> Any:
    """Return the result of a handler that is due to restart, without replacing this process."""
    recycler = Recycler({"AWS_LAMBDA_RUNTIME_API": api.address}, calls, None)
    handler = recycler.around(lambda _event, _context: answer, lambda: Due("m", "why"), lambda: ())
    context = SimpleNamespace(aws_request_id="1", get_remaining_time_in_millis=lambda: left_ms)
    return handler({}, context)


def asking(calls: Calls) -> threading.Event:
    """An extension that asks for the next event until this is set."""
    told = threading.Event()
    threading.Thread(target=calls.ask, args=(told.wait,), daemon=True).start()
    wait_until(lambda: calls._asks)
    return told


def test_where_calls_come_at_once_no_process_is_replaced(api: RuntimeApi) -> None:
    environ = {"AWS_LAMBDA_RUNTIME_API": api.address, "AWS_LAMBDA_MAX_CONCURRENCY": "2"}
    recycler = Recycler(environ, Calls(), None)
    assert recycler.around(handler := lambda *_: ANSWER, lambda: None, tuple) is handler


@pytest.mark.parametrize("status", [400, 403, 413, 500])
def test_an_answer_that_is_refused_is_the_runtimes_to_post(
    api: RuntimeApi, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    api.post_status = status
    calls = Calls()
    assert answered(api, calls) is ANSWER
    assert caplog.messages == ["the environment cannot restart"]
    asking(calls).set()  # the extension is kept from nothing


def test_an_answer_that_cannot_be_posted_is_the_runtimes_to_post(
    api: RuntimeApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.__exit__(None, None, None)
    assert answered(api, Calls()) is ANSWER
    assert caplog.messages == ["the environment cannot restart"]


@pytest.mark.parametrize(
    "answer",
    [b"bytes", {"it": object()}, {"body": "x" * PAYLOAD_LIMIT_BYTES}],
    ids=["bytes", "no JSON", "too large"],
)
def test_an_answer_out_of_the_ordinary_is_the_runtimes_to_post(
    api: RuntimeApi, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert answered(api, Calls(), answer) is answer
    assert caplog.messages == []


def test_with_too_little_time_left_the_next_call_will_do(
    api: RuntimeApi, caplog: pytest.LogCaptureFixture
) -> None:
    assert answered(api, Calls(), left_ms=LEAST_LEFT_S * 1000 - 1) is ANSWER
    assert caplog.messages == []


def test_while_the_extension_asks_for_the_next_event_no_process_is_replaced(
    api: RuntimeApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.lambda_runtime.recycling._LEAVE_DEADLINE_S", 0.05)
    calls = Calls()
    told = asking(calls)
    assert answered(api, calls) is ANSWER
    assert caplog.messages == []
    told.set()
    wait_until(lambda: not calls._asks)
    assert calls.leave(0.0)


def test_an_extension_that_is_told_just_then_is_waited_for() -> None:
    calls = Calls()
    told = asking(calls)
    threading.Timer(0.05, told.set).start()
    assert calls.leave(30.0)


def test_while_a_process_is_about_to_be_replaced_its_extension_does_not_ask() -> None:
    calls = Calls()
    assert calls.leave(0.0)
    asked = threading.Event()
    threading.Thread(target=calls.ask, args=(asked.set,), daemon=True).start()
    wait_until(lambda: calls._changed._waiters)  # type: ignore[attr-defined]
    assert not asked.is_set()
    calls.stay()
    assert asked.wait(30.0)


HANDLER = """
import os, sys
from inference.process.background import Background
from inference.lambda_runtime.extension import extended
from inference.lambda_runtime.handover import REPLACES
from inference.lambda_runtime.recycling import Recycler
from inference.serving.recycling_policy import Due

due = []

def answer(event, context):
    told = {name: os.environ.get(name) for name in ("KEPT", "PRELOAD_MODELS", "MADE")}
    if "spoil" in event:
        os.environ.update(KEPT="changed", MADE="here")
        os.chdir("/")
        os.set_inheritable(os.open("/dev/null", os.O_RDONLY), True)
    if "due" in event:
        due.append(Due("m", "the test says so"))
    with open("/proc/self/environ", "rb") as block:  # the runtime takes it out of os.environ
        told["logs"] = b"_LAMBDA_TELEMETRY_LOG_FD=2" in block.read()
    files = len(os.listdir("/proc/self/fd"))
    return told | {"pid": os.getpid(), "files": files, "anew": REPLACES in os.environ, "ü": "ü"}

def renewed(handler, calls, extension):
    recycler = Recycler(os.environ, calls, extension)
    return recycler.around(handler, lambda: due[-1] if due else None, lambda: ("n", "m"))

handler = extended(answer, Background(), os.environ, renewed)
"""


@pytest.mark.parametrize("background", ["extension", "thread"])
def test_what_starts_anew_is_what_was_started_first(tmp_path: Path, background: str) -> None:
    (tmp_path / "app.py").write_text(HANDLER)
    environ = {
        "BACKGROUND": background, "PYTHONPATH": str(ROOT), "KEPT": "as it was",
        "PRELOAD_MODELS": "o, n", "_LAMBDA_TELEMETRY_LOG_FD": "2",
    }  # fmt: skip
    with LambdaEnvironment(
        "app.handler", environ=environ, cwd=tmp_path, frozen_between_calls=True
    ) as environment:
        first = environment.invoke({})
        assert first["logs"]
        assert (first["KEPT"], first["anew"], first["ü"]) == ("as it was", False, "ü")
        assert environment.invoke({"spoil": True})["files"] == first["files"] + 1
        last = environment.invoke({"due": True})  # answered by the process that goes
        assert (last["KEPT"], last["anew"], last["ü"]) == ("changed", False, "ü")
        anew = environment.invoke({})
        assert anew == first | {"anew": True, "PRELOAD_MODELS": "m,n,o"}
        # It has restarted too recently to restart again.
        environment.invoke({"spoil": True, "due": True})
        assert environment.invoke({})["KEPT"] == "changed"


def test_where_no_process_can_be_started_this_one_ends_and_lambda_starts_another(
    tmp_path: Path,
) -> None:
    (tmp_path / "app.py").write_text(f"{HANDLER}\nsys.executable = '/nowhere/at/all'\n")
    with LambdaEnvironment(
        "app.handler", environ={"PYTHONPATH": str(ROOT)}, cwd=tmp_path
    ) as environment:
        first = environment.invoke({})["pid"]
        # Lambda has given the answer out by then; the emulator holds it, and says this instead.
        with pytest.raises(InvocationError):
            environment.invoke({"due": True})
        assert environment.invoke({})["pid"] != first
        assert "could not restart, and ends" in environment.logs()
