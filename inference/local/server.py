"""Run the local gateway until a signal stops it."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from inference.local.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.local.gateway import Answers

_DRAIN_S = 10


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; uvicorn's method would raise them again at the end."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Print the ready line once signals are handled and connections accepted."""
        await super().startup(sockets)
        if sockets and not self.should_exit:
            port = sockets[0].getsockname()[1]
            sys.__stdout__.write(f"coldpress ready http://127.0.0.1:{port}\n")  # type: ignore[union-attr]
            sys.__stdout__.flush()  # type: ignore[union-attr]


def serve(answers: Answers, *, port: int) -> None:
    """Serve on 127.0.0.1 until SIGINT or SIGTERM, then finish the calls in progress and return.

    Port 0 means any free port. Prints one line on stdout when ready: `coldpress ready http://...`.
    Raises OSError if the port is in use.
    """
    # asyncio sets TCP_NODELAY only on a socket whose protocol is given.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            hint = "stop the process that listens there, or name another port (0: any free one)"
            raise OSError(f"port {port} of 127.0.0.1 is in use: {hint}") from error
        raise
    listener.listen(512)
    config = uvicorn.Config(
        Gateway(answers),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_graceful_shutdown=_DRAIN_S,
        server_header=False,
    )
    _Server(config).run(sockets=[listener])
