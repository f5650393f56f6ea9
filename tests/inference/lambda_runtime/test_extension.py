"""The extension against a stand-in for Lambda's APIs, over HTTP. In Lambda's own runtime, frozen
between calls: tests/end_to_end/test_background_on_lambda.py.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections import deque
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from bench.runtime_api import RuntimeApi
from inference.lambda_runtime.extension import (
    NAME,
    PAUSES,
    Calls,
    Extension,
    extended,
)
from inference.lambda_runtime.extensions_api import register
from inference.process.background import Background
from inference.settings import BackgroundMode, SettingError, background_mode
from tests.support.places import ROOT
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LONG_S = 600.0
"""A deadline that no test waits for."""


class Held:
    """Background work that goes on until it is released; `then` is started at its end."""

    def __init__(self) -> None:
        self.released = threading.Event()

    def __call__(self) -> None:
        assert self.released.wait(DEADLINE_S)


class Waited(Background):
    """The real one, which counts how often it was waited for."""

    waits = 0

    def wait(self, deadline_s: float) -> bool:
        self.waits += 1
        return super().wait(deadline_s)


class Stretched(deque[float]):
    """Pauses that are all as long as this says."""

    def __init__(self, pause_s: float) -> None:
        super().__init__()
        self.pause_s = pause_s

    def append(self, _: float) -> None:
        super().append(self.pause_s)


class Runtime:
    """An environment with one extension; the test itself is its runtime."""

    def __init__(self, api: RuntimeApi, *, until_done: bool = True, **options: float) -> None:
        self.api = api
        self.background = Waited()
        self.calls = Calls()
        registered = register(api.address, NAME)
        assert registered is not None
        self.extension = Extension(
            registered, self.calls, self.background, until_done=until_done, **options
        )
        self.thread = threading.Thread(target=self.extension.run, daemon=True)
        self.thread.start()

    def call(self, work: Held | None = None, *, timeout_s: float = LONG_S) -> None:
        """Receive an event and answer it; start this work during the call."""
        self.api.begin(b"{}", timeout_s=timeout_s)
        if work:
            self.background.start(work, "work")
        assert self.api.invocation
        self.calls.note_end(self.api.invocation.request_id)

    def is_over(self) -> bool:
        return self.api.asks(NAME)

    def is_held(self) -> bool:
        """Return True if the extension is blocked until the background changes."""
        return bool(self.background._changed._waiters) and not self.is_over()  # type: ignore[attr-defined]


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with RuntimeApi(has_runtime=False) as started:
        yield started


@pytest.fixture
def work() -> Iterator[Held]:
    held = Held()
    yield held
    held.released.set()


def echo(event: Mapping[str, Any], context: Any) -> Any:
    if "raise" in event:
        raise ValueError(event["raise"])
    return context.aws_request_id


def on_lambda(api: RuntimeApi) -> dict[str, str]:
    return {"AWS_LAMBDA_RUNTIME_API": api.address}


def test_a_call_without_work_is_over_when_its_handler_has_ended(api: RuntimeApi) -> None:
    runtime = Runtime(api)
    for _ in range(100):
        runtime.call()
        wait_until(runtime.is_over)


def test_a_call_is_not_over_before_its_handler_has_ended(api: RuntimeApi) -> None:
    runtime = Runtime(api)
    runtime.calls.note_end("another call's")
    request_id = api.begin(b"{}", timeout_s=LONG_S)
    wait_until(lambda: runtime.calls._changed._waiters or runtime.is_over())  # type: ignore[attr-defined]
    assert not runtime.is_over()
    runtime.calls.note_end(request_id)
    wait_until(runtime.is_over)


def test_a_call_is_held_until_the_work_is_done_that_it_began(api: RuntimeApi, work: Held) -> None:
    runtime = Runtime(api)
    runtime.call(work)
    wait_until(runtime.is_held)
    work.released.set()
    wait_until(runtime.is_over)
    assert not runtime.background.busy()


def test_work_that_work_started_is_waited_for_too(api: RuntimeApi, work: Held) -> None:
    runtime = Runtime(api)
    first = Held()

    def start_another() -> None:
        first()
        runtime.background.start(work, "second")

    api.begin(b"{}", timeout_s=LONG_S)
    runtime.background.start(start_another, "first")
    assert api.invocation
    runtime.calls.note_end(api.invocation.request_id)
    wait_until(runtime.is_held)
    first.released.set()
    wait_until(lambda: runtime.background.waits == 2 or runtime.is_over())
    assert not runtime.is_over()
    work.released.set()
    wait_until(runtime.is_over)


def test_work_that_raises_holds_nothing(api: RuntimeApi) -> None:
    runtime = Runtime(api)
    api.begin(b"{}", timeout_s=LONG_S)
    failed = runtime.background.start(lambda: 1 / 0, "work")
    assert api.invocation
    runtime.calls.note_end(api.invocation.request_id)
    wait_until(runtime.is_over)
    assert isinstance(failed.exception(), ZeroDivisionError)


def test_work_that_passes_the_deadline_goes_on_in_other_calls(api: RuntimeApi, work: Held) -> None:
    runtime = Runtime(api)
    runtime.call(work, timeout_s=0.1)
    wait_until(runtime.is_over)
    assert runtime.background.busy()
    runtime.call()
    wait_until(runtime.is_held)
    work.released.set()
    wait_until(runtime.is_over)


def test_an_event_that_never_reaches_the_handler_is_let_go_at_its_deadline(
    api: RuntimeApi,
) -> None:
    runtime = Runtime(api)
    api.begin(b"no JSON", timeout_s=0.1)
    wait_until(runtime.is_over)
    runtime.call()
    wait_until(runtime.is_over)


def test_an_event_that_is_sent_again_waits_for_its_own_end(api: RuntimeApi) -> None:
    runtime = Runtime(api)
    for _ in range(2):
        api.begin(b"{}", timeout_s=LONG_S, request_id="the same")
        wait_until(lambda: runtime.calls._changed._waiters)  # type: ignore[attr-defined]
        assert not runtime.is_over()
        runtime.calls.note_end("the same")
        wait_until(runtime.is_over)


def test_work_that_never_ends_holds_no_call_for_ever(api: RuntimeApi, work: Held) -> None:
    runtime = Runtime(api, most_held_s=0.05)
    runtime.call(work)
    for _ in range(3):
        wait_until(runtime.is_over)
        runtime.call()
    wait_until(runtime.is_over)
    assert runtime.background.busy()
    work.released.set()
    assert runtime.background.wait(DEADLINE_S)
    runtime.call()
    wait_until(runtime.is_over)
    assert runtime.extension._held_s == 0.0  # what is begun from now on is waited for again


def test_callers_that_never_pause_find_the_environment_free(api: RuntimeApi, work: Held) -> None:
    runtime = Runtime(api, until_done=False)
    runtime.call(work)
    wait_until(runtime.is_over)  # the first call: no pause is known
    runtime.extension._pauses_s.extend([LONG_S, 0.0, LONG_S])
    runtime.call()
    wait_until(runtime.is_over)  # the shortest counts
    assert runtime.background.busy()


def test_where_callers_pause_work_is_done_in_the_pause(api: RuntimeApi, work: Held) -> None:
    runtime = Runtime(api, until_done=False)
    runtime.call()
    wait_until(runtime.is_over)
    # As if the environment had been frozen for so long.
    runtime.extension._pauses_s = Stretched(LONG_S)
    runtime.call(work)
    wait_until(runtime.is_held)
    work.released.set()
    wait_until(runtime.is_over)
    assert not runtime.background.busy()


def test_only_the_last_pauses_count_and_the_one_before_the_first_call_does_not(
    api: RuntimeApi,
) -> None:
    runtime = Runtime(api, until_done=False)
    for count in range(8):
        runtime.call()
        wait_until(runtime.is_over)
        assert len(runtime.extension._pauses_s) == min(count, PAUSES)
    assert all(pause_s >= 0 for pause_s in runtime.extension._pauses_s)


def test_a_handler_answers_and_raises_as_without_the_extension(api: RuntimeApi) -> None:
    background = Background()
    handler = extended(echo, background, on_lambda(api))
    assert api.extensions == {NAME}
    for event in ({}, {"raise": "no such model"}, {}):
        context = SimpleNamespace(aws_request_id=api.begin(b"{}", timeout_s=LONG_S))
        if event:
            with pytest.raises(ValueError, match="no such model"):
                handler(event, context)
        else:
            assert handler(event, context) == context.aws_request_id
        api.wait_until_idle()


@pytest.mark.parametrize("status", [403, 404, 500])
def test_registering_that_is_refused_leaves_the_handler_as_it_is(
    status: int, caplog: pytest.LogCaptureFixture
) -> None:
    with RuntimeApi(register_status=status) as api:
        assert extended(echo, Background(), on_lambda(api)) is echo
    assert [message[:12] for message in caplog.messages] == ["no extension"]


def test_where_nothing_listens_the_handler_is_left_as_it_is(
    api: RuntimeApi, caplog: pytest.LogCaptureFixture
) -> None:
    environ = on_lambda(api)
    api.__exit__(None, None, None)
    assert extended(echo, Background(), environ) is echo
    assert [message[:12] for message in caplog.messages] == ["no extension"]


def test_a_connection_that_is_lost_is_made_again(api: RuntimeApi) -> None:
    runtime = Runtime(api)
    runtime.call()
    wait_until(runtime.is_over)
    asked = api.times_asked[NAME]
    runtime.extension._api._connection.sock.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: api.times_asked[NAME] > asked)
    for _ in range(2):
        runtime.call()
        wait_until(runtime.is_over)


def test_an_extension_that_lambda_does_not_know_any_more_ends(
    api: RuntimeApi, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = Runtime(api)
    api.begin(b"{}", timeout_s=LONG_S)
    wait_until(lambda: runtime.calls._changed._waiters)  # type: ignore[attr-defined]
    api.forget(NAME)
    assert api.invocation
    runtime.calls.note_end(api.invocation.request_id)
    runtime.thread.join(DEADLINE_S)
    assert not runtime.thread.is_alive()
    assert caplog.messages == ["the extension has ended"]


@pytest.mark.parametrize(
    "environ",
    [{}, {"AWS_LAMBDA_RUNTIME_API": ""}, {"AWS_LAMBDA_RUNTIME_API": "x:1", "BACKGROUND": "thread"}],
)
def test_outside_of_lambda_and_with_threads_alone_nothing_is_registered(
    environ: dict[str, str],
) -> None:
    assert extended(echo, Background(), environ) is echo


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (None, BackgroundMode.AUTO),
        ("", BackgroundMode.AUTO),
        ("auto", BackgroundMode.AUTO),
        ("extension", BackgroundMode.EXTENSION),
        ("thread", BackgroundMode.THREAD),
    ],
)
def test_the_setting_is_read(text: str | None, mode: BackgroundMode) -> None:
    assert background_mode({} if text is None else {"BACKGROUND": text}) is mode


@pytest.mark.parametrize("text", ["threads", "Extension", " ", "none"])
def test_a_wrong_setting_is_refused_by_name(text: str) -> None:
    with pytest.raises(SettingError, match="BACKGROUND is"):
        extended(echo, Background(), {"BACKGROUND": text})


def printed_by(code: str) -> list[str]:
    """The lines that a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_what_only_lambda_needs_is_not_imported_elsewhere() -> None:
    code = "import sys, inference.lambda_runtime.extension; print('http.client' in sys.modules)"
    assert printed_by(code) == ["False"]


def test_registering_does_not_import_tls_and_who_needs_it_has_it() -> None:
    code = """
import sys
from inference.process.background import Background
from inference.lambda_runtime.extension import extended
extended(print, Background(), {"AWS_LAMBDA_RUNTIME_API": "127.0.0.1:1"})
print("http.client" in sys.modules, "ssl" in sys.modules)
import http.client
print(http.client.HTTPSConnection("localhost")._context.check_hostname)
"""
    _logged, *printed = printed_by(code)
    assert printed == ["True False", "True"]
