"""A package registry of a few files: PEP 503's pages and the files that they name, over HTTP.

Its pages say what real ones do: that a file was yanked, and why (PEP 592), and which Python it
needs.
"""

from __future__ import annotations

import contextlib
import html
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


FORBIDDEN: Final = "forbidden"
"""The package of which the registry shows nobody anything."""


class _Handler(SimpleHTTPRequestHandler):
    def do_GET(self) -> None:
        """Answer with a file, or refuse to."""
        if f"/{FORBIDDEN}/" in self.path:
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is there
        """Say nothing."""


class TinyIndex:
    """A registry below a folder: what is added is served at once."""

    def __init__(self, folder: Path, url: str) -> None:
        self.files = folder / "files"
        self._pages = folder / "simple"
        self.url = f"{url}/simple/"
        for each in (self.files, self._pages):
            each.mkdir()

    def add(
        self, file: Path, package: str, *, yanked: str | None = None, needs_python: str = ""
    ) -> Path:
        """Name a file of `files` on its package's page. `yanked`: why its makers took it back."""
        page = self._pages / package / "index.html"
        page.parent.mkdir(exist_ok=True)
        said = "" if yanked is None else f' data-yanked="{html.escape(yanked)}"'
        if needs_python:
            said += f' data-requires-python="{html.escape(needs_python)}"'
        before = page.read_text() if page.exists() else "<!DOCTYPE html>"
        page.write_text(f'{before}<a href="../../files/{file.name}"{said}>{file.name}</a>\n')
        return file


@contextlib.contextmanager
def serve_index(folder: Path) -> Iterator[TinyIndex]:
    """Serve a registry below a folder, which is there, on a free port of loopback."""
    handler = partial(_Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield TinyIndex(folder, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            thread.join()
