"""Read ahead the parts of a package set that its imports touched when they were recorded.

Publishing recorded them (model_store/recorded_imports.py).

Imports run one after another, and each opens files and faults in their pages: on a network file
system, a round trip each. Many readers bring names and attributes (by opening files) and pages (by
reading) into the kernel's caches before the imports need them. Files stay open until the imports
have ended, because an NFS client may ask the server again about a closed file. At most a quarter of
the process's file descriptors is used, because imports open files as well.

Errors are ignored here: the import meets the same error, and reports it.
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
"""Maximum number of files that stay open: a quarter of Lambda's limit of 1,024."""

_MOST_BYTES: Final = 1 << 20
"""Maximum size of one read. Longer ranges are split, to keep all readers busy."""


class _Range(NamedTuple):
    file: _SharedFile
    offset: int
    size_bytes: int


class ImportPrefetch:
    """Reads of a package set's files into the page cache, in progress until `stop`.

    Up to `readers` threads read.
    """

    def __init__(self, folder: Path, recorded: Iterable[RecordedFile], *, readers: int) -> None:
        most_open = min(_MOST_OPEN, os.sysconf("SC_OPEN_MAX") // 4)
        self._files: Final = [_SharedFile(f"{folder}/{MANIFEST}", stays_open=True)]
        self._queue: Final = deque([_Range(self._files[0], 0, IMPORT_BLOCK_BYTES)])
        for each in recorded:
            file = _SharedFile(f"{folder}/{each.path}", stays_open=len(self._files) < most_open)
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
            with contextlib.suppress(RuntimeError):  # no more threads: fewer readers
                reader.start()

    def stop(self) -> None:
        """Start no further read, and close all files in a thread: closing may ask the server."""
        self._queue.clear()
        try:
            threading.Thread(target=self._close, name="coldpress-imports", daemon=True).start()
        except RuntimeError:  # no more threads
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
        """Read ranges until none is left. Runs in each reader thread."""
        block = bytearray(_MOST_BYTES)
        while True:
            try:
                file, offset, size_bytes = self._queue.popleft()
            except IndexError:
                return
            file.read(offset, memoryview(block)[:size_bytes])


class _SharedFile:
    """A file that its first reader opens; it stays open, or is closed after that read."""

    def __init__(self, path: str, *, stays_open: bool) -> None:
        self._path = path
        self._stays_open = stays_open
        self._lock = threading.Lock()
        self._descriptor: int | None = None
        self._is_closed = False
        self._readers = 0

    def read(self, offset: int, target: memoryview) -> None:
        """Read bytes into the page cache, ignoring errors."""
        descriptor = self._acquire()
        if descriptor is None:
            return
        with contextlib.suppress(OSError):
            while target and (n_bytes := os.preadv(descriptor, [target], offset)):
                offset += n_bytes
                target = target[n_bytes:]
        self._release()

    def _acquire(self) -> int | None:
        """Return the descriptor for one reader; None if the file is closed or cannot be opened."""
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

    def _release(self) -> None:
        with self._lock:
            self._readers -= 1
            if self._is_closed or not self._stays_open:
                self._close_if_unused()

    def close(self) -> None:
        """Close the file as soon as no reader uses it. It is not opened again."""
        with self._lock:
            self._is_closed = True
            self._close_if_unused()

    def _close_if_unused(self) -> None:
        if self._descriptor is not None and not self._readers:
            os.close(self._descriptor)
            self._descriptor = None
