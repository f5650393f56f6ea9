"""As much of an HTTP/1.1 client (RFC 9112) as Lambda's own APIs on loopback need.

`http.client` brings the standard library's mail parser and TLS: 29 modules, 10 ms of every cold
start on Lambda, which are two requests long (docs/performance.md). Here: one request at a time over
one connection, which is kept while the server keeps it; bodies by their length, in chunks, or to
the end of the connection. What is no HTTP, and an answer that breaks off, is a ConnectionError.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

_MOST_LINE_BYTES: Final = 65_536
_MOST_HEADERS: Final = 100
_WITHOUT_BODY: Final = (204, 304)


class HttpAnswer(NamedTuple):
    """An answer, read whole. Headers by their names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpConnection:
    """One connection to `host:port`, made by the first request. For one thread.

    `timeout_s` bounds each wait for the server, None does not. Whatever fails closes the
    connection, and the next request makes another; it raises OSError.
    """

    def __init__(self, address: str, timeout_s: float | None = None) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._open: tuple[socket.socket, BufferedReader] | None = None

    def request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        """Send a request and return its answer, whatever its status."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        try:
            connected, stream = self._connect()
            connected.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            answer, keeps = _read_answer(stream)
        except BaseException:
            self.close()
            raise
        if not keeps:
            self.close()
        return answer

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._open:
            for each in reversed(self._open):
                each.close()
            self._open = None

    def _connect(self) -> tuple[socket.socket, BufferedReader]:
        if self._open is None:
            host, _, port = self._address.rpartition(":")
            if not (port.isascii() and port.isdigit()):
                raise ConnectionError(f"{self._address!r} is no address: expected host:port")
            connected = socket.create_connection((host.strip("[]"), int(port)), self._timeout_s)
            self._open = connected, connected.makefile("rb")
        return self._open


def _read_answer(stream: BufferedReader) -> tuple[HttpAnswer, bool]:
    """One answer, and whether the connection is kept after it."""
    while True:
        version, status = _read_status(stream)
        headers = _read_headers(stream)
        if status >= 200:  # after one that is only informational, another follows (RFC 9110)
            break
    keeps = version == b"HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if status in _WITHOUT_BODY:
        return HttpAnswer(status, headers, b""), keeps
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return HttpAnswer(status, headers, b"".join(_read_chunks(stream))), keeps
    if "content-length" in headers:
        body = _read_exactly(stream, _number(headers["content-length"].encode(), 10))
        return HttpAnswer(status, headers, body), keeps
    return HttpAnswer(status, headers, stream.read()), False


def _read_status(stream: BufferedReader) -> tuple[bytes, int]:
    line = _read_line(stream)
    version, _, rest = line.partition(b" ")
    if version not in {b"HTTP/1.1", b"HTTP/1.0"}:
        raise ConnectionError(f"no HTTP was answered: {line[:100]!r}")
    return version, _number(rest[:3], 10)


def _read_headers(stream: BufferedReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := _read_line(stream):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
        if len(headers) > _MOST_HEADERS:
            raise ConnectionError(f"the answer has more than {_MOST_HEADERS} headers")
    return headers


def _read_chunks(stream: BufferedReader) -> list[bytes]:
    chunks = []
    while size := _number(_read_line(stream).partition(b";")[0].strip(), 16):
        chunks.append(_read_exactly(stream, size))
        _read_line(stream)
    _read_headers(stream)  # trailers
    return chunks


def _read_line(stream: BufferedReader) -> bytes:
    line = stream.readline(_MOST_LINE_BYTES)
    if not line.endswith(b"\n"):
        raise ConnectionError("the answer broke off" if line else "the connection was closed")
    return line.rstrip(b"\r\n")


def _read_exactly(stream: BufferedReader, size: int) -> bytes:
    body = stream.read(size)
    if len(body) != size:
        raise ConnectionError(f"the answer broke off after {len(body)} of {size} bytes")
    return body


def _number(digits: bytes, base: int) -> int:
    try:
        number = int(digits, base)
    except ValueError:
        number = -1
    if number < 0:
        raise ConnectionError(f"no HTTP was answered: {digits[:100]!r} is no number")
    return number
