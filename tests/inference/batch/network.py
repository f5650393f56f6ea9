"""Network failures between a client and S3, on real sockets: cut connections and refusals."""

from __future__ import annotations

import http.server
import socket
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 1 << 16
_DEADLINE_S = 30.0

SLOW_DOWN = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>"


class CuttingNetwork:
    """Forwards connections, and cuts the next `cuts` of them that answer with more than `after`."""

    def __init__(self, target: int, *, cuts: int, after: int) -> None:
        self._target, self._after = target, after
        self.cuts_left = cuts
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._target), _DEADLINE_S)
            near.settimeout(_DEADLINE_S)
            for pump in (self._requests, self._answers):
                threading.Thread(target=pump, args=(near, far), daemon=True).start()

    def _requests(self, near: socket.socket, far: socket.socket) -> None:
        try:
            while data := near.recv(_BLOCK):
                far.sendall(data)
        except OSError:
            pass
        finally:
            far.close()

    def _answers(self, near: socket.socket, far: socket.socket) -> None:
        passed = 0
        try:
            while data := far.recv(_BLOCK):
                passed += len(data)
                if passed > self._after and self._takes_a_cut():
                    break
                near.sendall(data)
        except OSError:
            pass
        finally:
            _shut(near)

    def _takes_a_cut(self) -> bool:
        with self._lock:
            self.cuts_left -= 1
            return self.cuts_left >= 0


def _shut(near: socket.socket) -> None:
    try:
        near.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        near.close()


@contextmanager
def cutting_network(target: int, *, cuts: int, after: int) -> Iterator[CuttingNetwork]:
    """Run a network that cuts connections, before a server on loopback."""
    network = CuttingNetwork(target, cuts=cuts, after=after)
    try:
        yield network
    finally:
        network.close()


class _SlowDown(http.server.BaseHTTPRequestHandler):
    def _answer(self) -> None:
        self.send_response(503)
        self.send_header("Content-Length", str(len(SLOW_DOWN)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(SLOW_DOWN)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def throttling_s3() -> Iterator[int]:
    """Run a server that answers every call as a throttling S3 does; gives its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _SlowDown)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_DEADLINE_S)


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port on loopback on which nothing listens, so that no other process gets it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
