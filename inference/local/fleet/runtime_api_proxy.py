"""Read a function's answer on its way to the emulator, which returns it to the caller later.

Lambda returns an answer as soon as the runtime has posted it, and lets the environment run until
its extensions have asked for the next event. The emulator waits for the extensions first. So the
runtime's requests pass through this proxy, which forwards every byte and looks for the request that
posts the answer.
Source: Lambda's developer guide, "Using the Lambda runtime API": Invocation response.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import threading
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_ANSWER: Final = re.compile(rb"POST /2018-06-01/runtime/invocation/[^/ ]+/response HTTP/1.1\r\n")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]+) *\r\n", re.IGNORECASE)
_CHUNKED: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_MOST_BYTES: Final = 6 * 1024 * 1024
"""Largest answer; the emulator turns a larger one into an error."""

_PIECE_BYTES: Final = 65_536


class AnswerScanner:
    """Finds the answers in the bytes that a runtime sends on one connection. Pure."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._body_bytes: int | None = None
        self._is_answer = False
        self._lost = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes; return the answers that they complete."""
        answers: list[bytes] = []
        if self._lost:
            return answers
        self._unread += data
        while self._body_bytes is not None or self._read_head():
            length = self._body_bytes or 0
            if len(self._unread) < length:
                break
            if self._is_answer and length <= _MOST_BYTES:
                answers.append(bytes(self._unread[:length]))
            del self._unread[:length]
            self._body_bytes = None
        return answers

    def _read_head(self) -> bool:
        end = self._unread.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = bytes(self._unread[: end + 2])
        if _CHUNKED.search(head):  # no runtime does this; the next request cannot be located
            self._lost = True
            self._unread.clear()
            return False
        del self._unread[: end + 4]
        length = _LENGTH.search(head)
        self._body_bytes = int(length[1]) if length else 0
        self._is_answer = _ANSWER.match(head) is not None
        return True


class EarlyAnswers:
    """A Runtime API that forwards to the emulator's, until `close`. One call at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: str = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._answer = b""
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._closed = False

    def start(self, runtime_api_port: int) -> None:
        """Start to forward connections to the emulator's own Runtime API."""
        threading.Thread(
            target=self._accept, args=(runtime_api_port,), name="runtime-api", daemon=True
        ).start()

    def forget(self) -> None:
        """Forget the answer of the previous call."""
        while _readable(self._wake_reader, 0):
            self._wake_reader.recv(64)

    def wait(self, other: socket.socket, *, answer_s: float, held_s: float) -> bytes | None:
        """Wait up to `answer_s` seconds for the function's answer; return None without one.

        Return None as well if `other` becomes readable before the answer, or within `held_s`
        seconds after it: the emulator itself has answered.
        """
        poll = select.poll()
        for each in (other, self._wake_reader):
            poll.register(each, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(answer_s * 1e3)]
        if not ready or other.fileno() in ready or _readable(other, held_s):
            return None
        return self._answer

    def close(self) -> None:
        """Close every connection; requests of the runtime in progress fail."""
        with self._lock:
            self._closed = True
            ends = [self._listener, *self._open, self._wake_reader, self._wake_writer]
        for each in ends:
            with contextlib.suppress(OSError):
                each.shutdown(
                    socket.SHUT_RDWR
                )  # close() alone does not wake a thread that waits on it
            each.close()

    def _accept(self, runtime_api_port: int) -> None:
        while True:
            try:
                runtime, _ = self._listener.accept()
                emulator = socket.create_connection(("127.0.0.1", runtime_api_port))
            except OSError:  # closed, or the emulator has ended
                return
            for each in (runtime, emulator):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                if self._closed:
                    runtime.close()
                    emulator.close()
                    return
                self._open += [runtime, emulator]
            _forward(runtime, emulator, partial(self._look, AnswerScanner()))
            _forward(emulator, runtime, _ignore)

    def _look(self, scanner: AnswerScanner, data: bytes) -> None:
        for answer in scanner.feed(data):
            self._answer = answer
            self._wake_writer.send(b"!")


def _forward(source: socket.socket, to: socket.socket, look: Callable[[bytes], None]) -> None:
    """Start a thread that forwards one connection to another until either is closed."""

    def run() -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE_BYTES):
                to.sendall(data)
                look(data)
        for each in (source, to):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=run, name="runtime-api", daemon=True).start()


def _ignore(_: bytes) -> None:
    """Ignore the bytes."""


def _readable(each: socket.socket, wait_s: float) -> bool:
    poll = select.poll()
    poll.register(each, select.POLLIN)
    return bool(poll.poll(wait_s * 1e3))
