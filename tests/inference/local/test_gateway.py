"""The local gateway's ASGI side: requests in pieces, answers, and handlers that fail."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from inference.http.limits import PAYLOAD_LIMIT_BYTES
from inference.local.gateway import Gateway, InThreads, LocalContext
from tests.support.events import event_file
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.http.application import Application

SCOPE: dict[str, Any] = {
    "type": "http",
    "method": "POST",
    "path": "/models/é/predict",
    "query_string": b"a=1&a=%C3%A9",
    "headers": [(b"content-type", b"text/plain"), (b"x-latin", b"\xe9"), (b"cookie", b"a=1; b=2")],
    "client": ("127.0.0.9", 4711),
}


class Recorder:
    """A handler that keeps what it was called with."""

    def __init__(self, answer: dict[str, Any] | None = None) -> None:
        self.events: list[dict[str, Any]] = []
        self.contexts: list[LocalContext] = []
        self._answer = answer or {"statusCode": 200, "body": "ok", "isBase64Encoded": False}

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        self.events.append(dict(event))
        self.contexts.append(context)
        return self._answer


def body(*pieces: bytes) -> list[dict[str, Any]]:
    last = len(pieces) - 1
    return [
        {"type": "http.request", "body": piece, "more_body": number < last}
        for number, piece in enumerate(pieces)
    ]


class Sent:
    """Answer of a gateway, and the number of bytes that it read."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.read = 0

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


def request(
    gateway: Gateway, messages: list[dict[str, Any]], scope: dict[str, Any] = SCOPE
) -> Sent:
    sent = Sent()

    async def receive() -> dict[str, Any]:
        message = messages[sent.read]
        sent.read += 1
        return message

    async def send(message: dict[str, Any]) -> None:
        sent.messages.append(message)

    asyncio.run(gateway(scope, receive, send))
    return sent


def test_a_request_becomes_an_event() -> None:
    recorder = Recorder()
    sent = request(Gateway(InThreads(recorder, threads=1)), body(b"abc"))
    (event,) = recorder.events
    assert (event["version"], event["rawPath"]) == ("2.0", "/models/é/predict")
    assert event["rawQueryString"] == "a=1&a=%C3%A9"
    assert event["queryStringParameters"] == {"a": "1,é"}
    assert event["headers"] == {"content-type": "text/plain", "x-latin": "é"}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["body"] == "abc"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.9"
    assert set(event) <= set(event_file("http_api_documented"))
    assert (sent.status, sent.body) == (200, b"ok")


def test_a_body_in_pieces_is_one_body() -> None:
    recorder = Recorder()
    request(Gateway(InThreads(recorder, threads=1)), body(b"a", b"", b"bc", b""))
    assert recorder.events[0]["body"] == "abc"


def test_a_caller_without_an_address_is_on_this_machine() -> None:
    recorder = Recorder()
    request(Gateway(InThreads(recorder, threads=1)), body(b""), SCOPE | {"client": None})
    assert recorder.events[0]["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


def test_a_caller_who_goes_away_in_the_middle_is_not_answered_by_half_a_request() -> None:
    recorder = Recorder()
    messages = [*body(b"half", b"")[:1], {"type": "http.disconnect"}]
    request(Gateway(InThreads(recorder, threads=1)), messages)
    assert recorder.events == []


def test_each_call_has_a_context_with_an_id_of_its_own() -> None:
    recorder = Recorder()
    gateway = Gateway(InThreads(recorder, threads=1))
    for _ in range(3):
        request(gateway, body(b""))
    assert len({context.aws_request_id for context in recorder.contexts}) == 3
    assert recorder.contexts[0].function_name


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"statusCode": 404, "body": "é", "isBase64Encoded": False}, (404, "é".encode())),
        ({"statusCode": 200, "body": "AP8=", "isBase64Encoded": True}, (200, b"\x00\xff")),
        ({"statusCode": 204}, (204, b"")),
        ({"statusCode": 200, "body": None}, (200, b"")),
    ],
)
def test_an_answer_is_written_as_it_is(answer: dict[str, Any], expected: tuple[int, bytes]) -> None:
    sent = request(Gateway(InThreads(Recorder(answer), threads=1)), body(b""))
    assert (sent.status, sent.body) == expected
    assert sent.headers["content-length"] == str(len(expected[1]))


def test_an_answers_headers_are_written_in_lower_case() -> None:
    answer = {"statusCode": 200, "body": "", "headers": {"Coldpress-Version": 3, "X": "y"}}
    sent = request(Gateway(InThreads(Recorder(answer), threads=1)), body(b""))
    headers = dict(sent.headers)
    assert headers.pop("coldpress-request-id")
    assert headers == {"coldpress-version": "3", "x": "y", "content-length": "0"}


def test_a_handler_that_fails_is_an_answer_without_its_reason_which_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        raise RuntimeError("a secret")

    sent = request(Gateway(InThreads(fail, threads=1)), body(b""))
    assert sent.status == 500
    assert json.loads(sent.body) == {"error": "an internal error: the log has its cause"}
    (record,) = caplog.records
    assert record.message == "the handler failed"
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a secret"


def test_a_body_that_cannot_fit_is_refused_and_read_no_further() -> None:
    recorder = Recorder()
    sent = request(Gateway(InThreads(recorder, threads=1)), body(*[b"x" * 1_000_000] * 20))
    assert sent.status == 413
    assert f"Lambda takes at most {PAYLOAD_LIMIT_BYTES}" in json.loads(sent.body)["error"]
    assert sent.read == 7
    assert recorder.events == []


def test_a_body_that_fits_only_without_its_event_is_refused() -> None:
    recorder = Recorder()
    sent = request(Gateway(InThreads(recorder, threads=1)), body(b"x" * PAYLOAD_LIMIT_BYTES))
    assert sent.status == 413
    assert recorder.events == []


@pytest.mark.parametrize("kind", ["websocket", "lifespan"])
def test_nothing_but_http_is_served(kind: str) -> None:
    with pytest.raises(ValueError, match=kind):
        request(Gateway(InThreads(Recorder(), threads=1)), [], {"type": kind})


def test_as_many_calls_run_at_once_as_there_are_threads() -> None:
    threads = 4
    barrier = threading.Barrier(threads)

    def meet(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        barrier.wait(DEADLINE_S)
        return {"statusCode": 200, "body": event["rawPath"]}

    gateway = Gateway(InThreads(meet, threads=threads))

    async def call(number: int) -> bytes:
        sent = Sent()

        async def receive() -> dict[str, Any]:
            return body(b"")[0]

        async def send(message: dict[str, Any]) -> None:
            sent.messages.append(message)

        await gateway(SCOPE | {"path": f"/{number}"}, receive, send)
        return sent.body

    async def all_calls() -> list[bytes]:
        return await asyncio.gather(*(call(number) for number in range(threads)))

    assert asyncio.run(all_calls()) == [b"/0", b"/1", b"/2", b"/3"]


def test_the_functions_own_handler_is_what_answers(surface: Application) -> None:
    event = event_file("http_api_infer")
    scope = SCOPE | {"path": event["rawPath"], "headers": [(b"content-type", b"application/json")]}
    sent = request(Gateway(InThreads(surface, threads=1)), body(event["body"].encode()), scope)
    assert (sent.status, sent.headers["coldpress-version"]) == (200, "3")
    assert json.loads(sent.body)["outputs"][0]["data"] == [301.0, 302.0]


def test_a_call_that_the_server_does_not_wait_for_ends_without_an_answer() -> None:
    async def cancelled(event: Mapping[str, Any]) -> dict[str, Any]:
        raise asyncio.CancelledError(event["rawPath"])

    assert request(Gateway(cancelled), body(b"")).messages == []
