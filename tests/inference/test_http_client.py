"""The client of Lambda's own APIs against a socket that answers these bytes, whatever is asked."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from inference.http_client import HttpAnswer, HttpConnection
from tests.inference.concurrency import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Server:
    """Answers one request after another with these, over as many connections as are made."""

    def __init__(self, answers: tuple[bytes, ...]) -> None:
        self._answers = list(answers)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[bytes] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while self._answers:
            try:
                connected, _ = self._listening.accept()
            except OSError:  # the test is over
                return
            self.connections += 1
            with connected, contextlib.suppress(ConnectionError):
                while self._answers and (asked := connected.recv(65_536)):
                    self.requests.append(asked)
                    answer = self._answers.pop(0)
                    connected.sendall(answer)
                    if b"Connection: close" in answer or b"HTTP/1.1" not in answer:
                        break

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(DEADLINE_S)


@contextlib.contextmanager
def serving(*answers: bytes) -> Iterator[tuple[Server, HttpConnection]]:
    server = Server(answers)
    connection = HttpConnection(server.address, DEADLINE_S)
    try:
        yield server, connection
    finally:
        connection.close()
        server.close()


@pytest.mark.parametrize(
    ("answered", "expected"),
    [
        (
            b"HTTP/1.1 200 OK\r\nX-One: a: b \r\nCONTENT-length: 3\r\n\r\nabc",
            HttpAnswer(200, {"x-one": "a: b", "content-length": "3"}, b"abc"),
        ),
        (
            CHUNKED + b"3;note=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nTrailer: 1\r\n\r\n",
            HttpAnswer(200, {"transfer-encoding": "chunked"}, b"abc0123456789"),
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end",
            HttpAnswer(200, {"connection": "close"}, b"to the end"),
        ),
        (b"HTTP/1.0 403 Forbidden\r\n\r\nno", HttpAnswer(403, {}, b"no")),
        (b"HTTP/1.1 204 \r\n\r\n", HttpAnswer(204, {}, b"")),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 \r\nContent-Length: 1\r\n\r\n!",
            HttpAnswer(500, {"content-length": "1"}, b"!"),
        ),
    ],
)
def test_an_answer_is_read_whole(answered: bytes, expected: HttpAnswer) -> None:
    with serving(answered) as (_, connection):
        assert connection.request("GET", "/", {}) == expected


def test_a_request_is_sent_as_http_says() -> None:
    with serving(NO_BODY, NO_BODY) as (server, connection):
        connection.request("POST", "/a/b", {"X-Name": "me"}, b"{}")
        connection.request("GET", "/c", {})
    host = f"Host: {server.address}".encode()
    assert server.requests == [
        b"POST /a/b HTTP/1.1\r\n%b\r\nX-Name: me\r\nContent-Length: 2\r\n\r\n{}" % host,
        b"GET /c HTTP/1.1\r\n%b\r\n\r\n" % host,
    ]


def test_a_connection_is_kept_until_the_server_says_otherwise() -> None:
    closing = NO_BODY.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with serving(NO_BODY, closing, NO_BODY) as (server, connection):
        for _ in range(3):
            assert connection.request("GET", "/", {}).status == 200
        assert server.connections == 2


@pytest.mark.parametrize(
    ("answered", "said"),
    [
        (b"", "the connection was closed"),
        (b"SSH-2.0-x\r\n", "no HTTP was answered"),
        (b"HTTP/1.1 what\r\n\r\n", "is no number"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Le", "broke off"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nabc", "3 of 9 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "is no number"),
        (
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
            "2 of 3 bytes",
        ),
        (b"HTTP/1.1 200 OK\r\n" + b"X-%d: 1\r\n" * 101 % tuple(range(101)), "100 headers"),
    ],
)
def test_what_is_no_whole_answer_is_an_error_and_the_next_request_connects_anew(
    answered: bytes, said: str
) -> None:
    with serving(answered, NO_BODY) as (server, connection):
        with pytest.raises(ConnectionError, match=said):
            connection.request("GET", "/", {})
        assert connection.request("GET", "/", {}).status == 200
        assert server.connections == 2


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_that() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        connection = HttpConnection(f"127.0.0.1:{silent.getsockname()[1]}", 0.01)
        with pytest.raises(TimeoutError):
            connection.request("GET", "/", {})


@pytest.mark.parametrize("address", ["", "localhost", "localhost:", "localhost:http"])
def test_what_is_no_address_is_an_error(address: str) -> None:
    with pytest.raises(ConnectionError, match="expected host:port"):
        HttpConnection(address).request("GET", "/", {})
