"""The local gateway: HTTP on this machine to the function's own handler.

A thin ASGI application. It turns each request into the event that API Gateway would make, gets an
answer, and writes it as the response; so the code that runs here is the code that runs on Lambda.
Events are answered by the handler in this process (InThreads) or by a fleet of environments
(fleet/http_answers.py). The server listens on loopback only: there is no authentication.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from inference.errors import TooLargeError
from inference.http.events import answer_body, build_event
from inference.http.limits import PAYLOAD_LIMIT_BYTES, request_too_large
from inference.http.responses import error_answer
from inference.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]
    Answers = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]
    Receive = Callable[[], Awaitable[dict[str, Any]]]
    Send = Callable[[dict[str, Any]], Awaitable[None]]


_NOT_MODIFIED: Final = 304


@dataclass(frozen=True, slots=True)
class LocalContext:
    """The part of Lambda's context object that a handler may read."""

    function_name: str = "coldpress-local"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))


class Workers:
    """`count` daemon threads that make calls for an event loop, in the order of arrival.

    Not a ThreadPoolExecutor: its threads are joined when the process ends, and one call that never
    returns would keep the process from ending.
    """

    def __init__(self, count: int, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    async def call(self, work: Callable[[], Any]) -> Any:
        """Run `work` in one of the threads and return its result; `work` must not raise."""
        loop = asyncio.get_running_loop()
        answered = loop.create_future()

        def run() -> None:
            result = work()
            loop.call_soon_threadsafe(_set_result, answered, result)

        self._calls.put(run)
        return await answered

    def _work(self) -> None:
        while True:
            self._calls.get()()


def _set_result(answered: asyncio.Future[Any], result: object) -> None:
    if not answered.done():  # the request may have been cancelled
        answered.set_result(result)


class InThreads:
    """Answers events with a handler in this process, in `threads` worker threads."""

    def __init__(self, handler: Handler, *, threads: int) -> None:
        self._handler = handler
        self._workers = Workers(threads, "call")

    async def __call__(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Answer one event; if the handler raises, with status 500."""
        answer: dict[str, Any] = await self._workers.call(lambda: self._call(event))
        return answer

    def _call(self, event: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._handler(event, LocalContext())
        except BaseException as error:
            logger.error("the handler failed", reason=str(error), exc_info=error)
            return error_answer(500, "an internal error: the log has its cause")


class Gateway:
    """An ASGI application that answers requests with `answers`, which must not raise."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one HTTP request."""
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not served here")
        try:
            body = await _read_body(receive)
            if body is None:
                return
            event = _event(scope, body)
        except TooLargeError as error:
            answer = error_answer(413, str(error))
        else:
            try:
                answer = await self._answers(event)
            except asyncio.CancelledError:
                return  # the server ends, and this call took longer than its grace period
        answered = answer_body(answer)
        status = answer["statusCode"]
        added = {"Coldpress-Request-Id": str(uuid.uuid4())}
        if status != _NOT_MODIFIED:  # its Content-Length would be that of a full response
            added["Content-Length"] = str(len(answered))
        headers = {**added, **answer.get("headers", {})}
        raw_headers = [
            (name.lower().encode(), str(value).encode()) for name, value in headers.items()
        ]
        await send({"type": "http.response.start", "status": status, "headers": raw_headers})
        await send({"type": "http.response.body", "body": answered})


def _event(scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    return build_event(
        method=scope["method"],
        path=scope["path"],
        query=scope["query_string"].decode("latin-1"),
        headers=[
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        ],
        body=body,
        source_ip=scope["client"][0] if scope.get("client") else "127.0.0.1",
    )


async def _read_body(receive: Receive) -> bytes | None:
    """Read a request's body; return None if the caller disconnects first.

    Raises TooLargeError, without reading further, once the body is over the limit.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if len(body) > PAYLOAD_LIMIT_BYTES:
            raise TooLargeError(request_too_large(f"the request's body is over {len(body)} bytes"))
        if not message.get("more_body"):
            return bytes(body)
