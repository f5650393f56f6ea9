"""Runs the local gateway until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from typing import TYPE_CHECKING

import uvicorn

from inference.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.gateway import Handler

_DRAIN_S = 10


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; uvicorn's own way raises them again when all has ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        yield


def serve(handler: Handler, *, port: int, threads: int) -> None:
    """Serve on 127.0.0.1 until SIGINT or SIGTERM, then finish what is under way and return.

    Port 0 takes any free one. Prints one line on stdout when ready: `coldpress ready http://...`.
    Raises OSError if the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(512)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        Gateway(handler, threads=threads),
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=_DRAIN_S,
        server_header=False,
    )
    # The socket listens already: from here on no connection is refused.
    sys.__stdout__.write(f"coldpress ready {url}\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]
    _Server(config).run(sockets=[listener])
