"""Servers that are wrong on purpose: a real HTTP server before a right one, breaking one thing.

The first part of an address names the mutation, `/` + name + the protocol's own address: one
server is every wrong server. A mutation may change the call on its way there, answer it itself,
or change the answer on its way back.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


@dataclass
class Call:
    """A request. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """An answer. `drops` ends the connection without a word, `chunked` does without its length."""

    status: int
    headers: dict[str, str]
    body: bytes
    drops: bool = False
    chunked: bool = False


@dataclass(frozen=True)
class Mutation:
    """One thing that a server does wrongly, and the requirements that then must fail.

    A requirement may be a pattern (fnmatch) for several.
    """

    name: str
    fails: tuple[str, ...]
    before: Callable[[Call], Reply | None] = field(default=lambda _: None)
    after: Callable[[Call, Reply], object] = field(default=lambda *_: None)


HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server", "host"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body go out in two writes: without this the second waits for an acknowledgement.
    disable_nagle_algorithm = True
    right: str
    client: httpx.Client
    mutations: Mapping[str, Mutation]

    def _answer(self) -> None:
        _, name, rest = self.path.split("/", 2)
        mutation = self.mutations[name]
        headers = {key.lower(): value for key, value in self.headers.items()}
        call = Call(self.command, "/" + rest, headers, self._read(headers))
        reply = mutation.before(call) or self._forward(call)
        mutation.after(call, reply)
        self._write(reply)

    do_GET = do_POST = do_DELETE = do_PUT = _answer  # noqa: N815 - http.server's names

    def _read(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return self.rfile.read(int(headers.get("content-length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _forward(self, call: Call) -> Reply:
        headers = {key: value for key, value in call.headers.items() if key not in HOP_BY_HOP}
        request = self.client.build_request(
            call.method, self.right + call.path, headers=headers, content=call.body
        )
        for unasked in {"accept-encoding", "accept", "user-agent"} - headers.keys():
            request.headers.pop(unasked, None)
        response = self.client.send(request, stream=True)
        try:
            body = b"".join(response.iter_raw())
        finally:
            response.close()
        answered = {k: v for k, v in response.headers.items() if k not in HOP_BY_HOP}
        return Reply(response.status_code, answered, body)

    def _write(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for key, value in reply.headers.items():
            self.send_header(key, value)
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(reply.body), reply.body))
        else:
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)
        self.close_connection = self.close_connection or reply.drops

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Say nothing."""


@contextmanager
def wrong_server(right: str, mutations: Mapping[str, Mutation]) -> Iterator[str]:
    """Serve every mutation of the server at `right`, each below its name, at the address given."""
    with httpx.Client(timeout=60, trust_env=False) as client:
        own = {"right": right, "client": client, "mutations": mutations}
        handler = type("Handler", (_Handler,), own)
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
