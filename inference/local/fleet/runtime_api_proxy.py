"""Takes a function's answer on its way to the emulator, which holds it back from the caller.

Lambda gives an answer out as soon as the runtime has posted it, and lets the environment run on
until its extensions have asked for the next event. The emulator waits for that first. So the
runtime's calls go through here: passed on byte by byte, and looked at for the one that answers.
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
"""An answer that is larger is no answer: the emulator makes an error of it."""

_PIECE_BYTES: Final = 65_536


class AnswerScanner:
    """Finds the answers in what a runtime sends on one connection. Pure."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._body_bytes: int | None = None
        self._is_answer = False
        self._lost = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take what was sent next; return the answers that are complete with it."""
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
        if _CHUNKED.search(head):  # no runtime does that; it could not be followed further
            self._lost = True
            self._unread.clear()
            return False
        del self._unread[: end + 4]
        length = _LENGTH.search(head)
        self._body_bytes = int(length[1]) if length else 0
        self._is_answer = _ANSWER.match(head) is not None
        return True


class EarlyAnswers:
    """Where a runtime finds its Runtime API, until `close`. One call at a time."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: str = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._woken, self._wake = socket.socketpair()
        self._answer = b""
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._closed = False

    def start(self, runtime_api_port: int) -> None:
        """Pass on what comes to the emulator's own Runtime API."""
        threading.Thread(
            target=self._accept, args=(runtime_api_port,), name="runtime-api", daemon=True
        ).start()

    def forget(self) -> None:
        """Forget what was answered to the call before."""
        while _readable(self._woken, 0):
            self._woken.recv(64)

    def wait(self, other: socket.socket, *, answer_s: float, held_s: float) -> bytes | None:
        """Wait until the function has answered; None if `other` had something by then.

        Once there is an answer, `other` has `held_s` to have something after all.
        """
        poll = select.poll()
        for each in (other, self._woken):
            poll.register(each, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(answer_s * 1e3)]
        if not ready or other.fileno() in ready or _readable(other, held_s):
            return None
        return self._answer

    def close(self) -> None:
        """Close every connection; what is still open at the runtime's side fails."""
        with self._lock:
            self._closed = True
            ends = [self._listener, *self._open, self._woken, self._wake]
        for each in ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)  # or who waits for it would not notice
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
            _pass_on(runtime, emulator, partial(self._look, AnswerScanner()))
            _pass_on(emulator, runtime, _ignore)

    def _look(self, scanner: AnswerScanner, data: bytes) -> None:
        for answer in scanner.feed(data):
            self._answer = answer
            self._wake.send(b"!")


def _pass_on(source: socket.socket, to: socket.socket, look: Callable[[bytes], None]) -> None:
    """Start to pass on what comes from a connection, until either is closed."""

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
    """Look at nothing."""


def _readable(each: socket.socket, wait_s: float) -> bool:
    poll = select.poll()
    poll.register(each, select.POLLIN)
    return bool(poll.poll(wait_s * 1e3))
