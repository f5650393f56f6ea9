"""Lambda's side of one execution environment: the Runtime API and the Extensions API.

    with RuntimeApi() as api:
        ...  # start a runtime with AWS_LAMBDA_RUNTIME_API=api.address
        call = api.invoke(b"{}")

AWS's emulator (inference/local/fleet) delays an answer until every extension has asked for its next
event. Lambda and this module do not: a call is answered when the runtime posts its answer, and over
when the runtime and all extensions have asked for the next event. One call is in progress at a
time. https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import http.server
import json
import threading
import time
import uuid
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from types import TracebackType

_RUNTIME = "runtime"
_DEADLINE_S = 60.0
_NEXT = "/2018-06-01/runtime/invocation/next"
_REGISTER = "/2020-01-01/extension/register"
_NEXT_OF_EXTENSION = "/2020-01-01/extension/event/next"


class Invocation(NamedTuple):
    """An event for the runtime and the extensions."""

    request_id: str
    event: bytes
    deadline_ms: int


class Call(NamedTuple):
    """Outcome of an invocation; times are seconds since its event became available."""

    answer: bytes
    answered_s: float
    over_s: float


class RuntimeApiError(RuntimeError):
    """The environment did not send an expected request in time."""


class RuntimeApi:
    """APIs of one environment, on a free port of 127.0.0.1. Thread-safe; a context manager.

    A registration gets `register_status`; a status other than 200 refuses it. A posted answer gets
    `post_status`; a status other than 202 refuses the answer. With `has_runtime` False, only
    extensions connect, and the caller of `post` plays the runtime.
    """

    def __init__(self, *, register_status: int = HTTPStatus.OK, has_runtime: bool = True) -> None:
        self.register_status = register_status
        self.post_status: int = HTTPStatus.ACCEPTED
        self._parties = {_RUNTIME} if has_runtime else set()
        self._changed = threading.Condition()
        self.times_asked: Counter[str] = Counter()
        self._asking: set[str] = set()
        self._given: dict[str, Invocation] = {}
        self.invocation: Invocation | None = None
        self._began = 0.0
        self._answer: tuple[bytes, float] | None = None
        self._stopped = False
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self

    @property
    def address(self) -> str:
        """Value for AWS_LAMBDA_RUNTIME_API."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def extensions(self) -> frozenset[str]:
        """Names of the registered extensions."""
        return frozenset(self._parties - {_RUNTIME})

    def invoke(self, event: bytes, *, timeout_s: float = 30.0) -> Call:
        """Send an event, and return when the invocation is over."""
        self.begin(event, timeout_s=timeout_s)
        self.wait_until_idle()
        over_s = time.perf_counter() - self._began
        answer, answered_s = self._answer or (b"", over_s)
        return Call(answer, answered_s, over_s)

    def begin(self, event: bytes, *, timeout_s: float = 30.0, request_id: str = "") -> str:
        """Send an event with a deadline once all parties ask for one; return the request id.

        Unlike Lambda, this class does not end an environment that exceeds its deadline.
        """
        self.wait_until_idle()
        deadline_ms = int((time.time() + timeout_s) * 1000)
        with self._changed:
            self.invocation = Invocation(request_id or str(uuid.uuid4()), event, deadline_ms)
            self._answer = None
            self._asking.clear()
            self._began = time.perf_counter()
            self._changed.notify_all()
            return self.invocation.request_id

    def wait_until_idle(self) -> None:
        """Wait until the runtime and all extensions ask for an event; raise RuntimeApiError."""
        with self._changed:
            if not self._changed.wait_for(self._is_idle, _DEADLINE_S):
                raise RuntimeApiError(f"only {sorted(self._asking)} ask for an event")

    def asks(self, name: str) -> bool:
        """Return True if an extension, or `runtime`, is asking for the next event now."""
        with self._changed:
            return name in self._asking

    def post(self, answer: bytes) -> None:
        """Receive the runtime's answer."""
        with self._changed:
            self._answer = answer, time.perf_counter() - self._began

    def register(self, name: str) -> None:
        """Register an extension: from now on, every invocation waits for it."""
        with self._changed:
            self._parties.add(name)

    def forget(self, name: str) -> None:
        """Unregister an extension."""
        with self._changed:
            self._parties.discard(name)

    def ask(self, name: str) -> Invocation | None:
        """Wait for this party's next invocation, and return it; None after closing."""
        with self._changed:
            self._asking.add(name)
            self.times_asked[name] += 1
            self._changed.notify_all()
            had = self._given.get(name)
            self._changed.wait_for(lambda: self._stopped or self.invocation is not had)
            if self._stopped or self.invocation is None:
                return None
            self._given[name] = self.invocation
            return self.invocation

    def _is_idle(self) -> bool:
        return bool(self._parties) and self._parties <= self._asking

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    api: RuntimeApi

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing: environments end in the middle of a request."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one packet
    server: _Server

    def do_GET(self) -> None:
        of_runtime = self.path == _NEXT
        name = _RUNTIME if of_runtime else self.headers["Lambda-Extension-Identifier"]
        if not of_runtime and (
            self.path != _NEXT_OF_EXTENSION or name not in self.server.api.extensions
        ):
            self._send(
                HTTPStatus.FORBIDDEN, b'{"errorType": "Extension.UnknownExtensionIdentifier"}'
            )
            return
        invocation = self.server.api.ask(name)
        if invocation is None:  # the API was closed
            self.close_connection = True
            if not of_runtime:
                self._send(HTTPStatus.OK, b'{"eventType": "SHUTDOWN"}')
        elif of_runtime:
            self._send(
                HTTPStatus.OK,
                invocation.event,
                {
                    "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                    "Lambda-Runtime-Deadline-Ms": str(invocation.deadline_ms),
                    "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:local:function",
                },
            )
        else:
            event = {
                "eventType": "INVOKE",
                "deadlineMs": invocation.deadline_ms,
                "requestId": invocation.request_id,
            }
            self._send(HTTPStatus.OK, json.dumps(event).encode())

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path != _REGISTER:  # an answer, or an error
            if self.server.api.post_status == HTTPStatus.ACCEPTED:
                self.server.api.post(body)
            self._send(self.server.api.post_status, b'{"status": "OK"}')
        elif self.server.api.register_status != HTTPStatus.OK:
            self._send(self.server.api.register_status, b'{"errorType": "Extension.Refused"}')
        else:
            name = self.headers["Lambda-Extension-Name"]
            self.server.api.register(name)
            self._send(HTTPStatus.OK, b"{}", {"Lambda-Extension-Identifier": name})

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Log nothing: stderr belongs to the test or the benchmark."""
