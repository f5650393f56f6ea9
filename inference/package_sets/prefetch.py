"""Reads ahead what imports of a package set will touch, as it was recorded (recorded_imports.py).

Imports go one after the other, and each opens files and faults in pages of them: on a network file
system a round trip each. Many readers at once have them in the kernel's caches by the time that
they are needed: names and attributes, as files are opened, and pages, as they are read. Files stay
open until the imports have ended, for what nobody has open a client may ask the server for again;
but not more than a quarter of those that a process may have open, for imports open files, too.

Nothing depends on it: what cannot be read here is met by the import, which says what is wrong.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.layout import MANIFEST
from model_store.recorded_imports import IMPORT_BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from model_store.recorded_imports import RecordedFile

_MOST_OPEN: Final = 256
"""How many files stay open, at most: a quarter of Lambda's 1,024."""

_MOST_BYTES: Final = 1 << 20
"""A longer range is divided, so that no reader is busy with it while others have nothing to do."""


class _Range(NamedTuple):
    file: _Opened
    offset: int
    size_bytes: int


class ImportPrefetch:
    """Reads of a package set's files into the page cache, by up to `readers` threads, until `stop`."""

    def __init__(self, folder: Path, recorded: Iterable[RecordedFile], *, readers: int) -> None:
        most = min(_MOST_OPEN, os.sysconf("SC_OPEN_MAX") // 4)
        self._files: Final = [_Opened(f"{folder}/{MANIFEST}", stays_open=True)]
        self._queue: Final = deque([_Range(self._files[0], 0, IMPORT_BLOCK_BYTES)])
        for each in recorded:
            file = _Opened(f"{folder}/{each.path}", stays_open=len(self._files) < most)
            self._files.append(file)
            for first, count in each.ranges:
                end = (first + count) * IMPORT_BLOCK_BYTES
                for offset in range(first * IMPORT_BLOCK_BYTES, end, _MOST_BYTES):
                    self._queue.append(_Range(file, offset, min(_MOST_BYTES, end - offset)))
        self._readers: Final = [
            threading.Thread(target=self._read, name="coldpress-imports", daemon=True)
            for _ in range(min(readers, len(self._queue)))
        ]
        for reader in self._readers:
            with contextlib.suppress(RuntimeError):  # there are no more threads: fewer read
                reader.start()

    def stop(self) -> None:
        """Read nothing further, and let go of all files, in a thread: closing may ask a server."""
        self._queue.clear()
        try:
            threading.Thread(target=self._close, name="coldpress-imports", daemon=True).start()
        except RuntimeError:  # there are no more threads
            self._close()

    def _close(self) -> None:
        for file in self._files:
            file.close()

    def wait(self) -> None:
        """Wait until nothing is left to read."""
        for reader in self._readers:
            if reader.ident is not None:
                reader.join()

    def _read(self) -> None:
        """Read ranges until none is left. Runs in each reader's thread."""
        block = bytearray(_MOST_BYTES)
        while True:
            try:
                file, offset, size_bytes = self._queue.popleft()
            except IndexError:
                return
            file.read(offset, memoryview(block)[:size_bytes])


class _Opened:
    """A file that is opened by whoever needs it first, and stays open; or until it is read."""

    def __init__(self, path: str, *, stays_open: bool) -> None:
        self._path = path
        self._stays_open = stays_open
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._is_closed = False
        self._readers = 0

    def read(self, offset: int, into: memoryview) -> None:
        """Read bytes into the page cache, as far as that goes."""
        descriptor = self._take()
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            while into and (got := os.preadv(descriptor, [into], offset)):
                offset += got
                into = into[got:]
        self._give_back()

    def _take(self) -> int | None:
        """Its descriptor, for one who reads; None where it is closed, or cannot be opened."""
        with self._lock:
            if self._is_closed:
                return None
            if self._descriptor is None:
                try:
                    self._descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
                except OSError:
                    self._is_closed = True
                    return None
            self._readers += 1
            return self._descriptor

    def _give_back(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._is_closed or not self._stays_open:
                self._let_go()

    def close(self) -> None:
        """Close it as soon as nobody reads it; nobody opens it again."""
        with self._lock:
            self._is_closed = True
            self._let_go()

    def _let_go(self) -> None:
        if self._descriptor is not None and not self._readers:
            os.close(self._descriptor)
            self._descriptor = None
