"""Reads what a version needs into the page cache, by many readers at once, and checks it.

One reader alone pays a round trip for each read; a file system that answers many at once is read
many times as fast (docs/performance.md). What was checked is what is then used: its pages stay in
the page cache, where ONNX Runtime reads or maps them.

Readers are daemon threads: a mount that hangs holds up whoever waits, and not the process's end.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import threading
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from inference.loading.read_plan import plan_reads
from inference.settings import Verify
from model_store.errors import DamagedError
from model_store.files import check_file, open_beneath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import BufferedReader
    from pathlib import Path

    from inference.loading.read_plan import File, FileRange, ReadPlan
    from inference.loading.variant_files import VariantFiles

READERS: Final = 16
"""How many read at once. Measured: docs/performance.md."""

_BLOCK_BYTES: Final = 1 << 20
"""Each reader's memory. With less, readers wait more often for imports to yield the interpreter."""


class Prefetch:
    """What a version needs, being read, from here on. Whoever needs it waits, or stops it.

    As a context, it is stopped by whatever error ends that.
    """

    def __init__(self, pieces: ReadPlan, *, checks_sizes: bool = True) -> None:
        self.rest: Final = pieces.rest
        """What is left for later: nothing touches it (`check_pieces`)."""
        self._changed: Final = threading.Condition()
        self._queue: Final = deque((*pieces.graph, *pieces.others))
        self._graph_left: Final = set(pieces.graph)
        self._left: Final = set(self._queue)
        self._whole: Final = list(pieces.whole)
        self._error: BaseException | None = None
        self._files: Final = {piece.file: _Opened(piece.file, checks_sizes) for piece in self._left}
        self._readers = 0
        for _ in range(min(READERS, len(self._queue))):
            if not self._start_reader():
                break

    def _start_reader(self) -> bool:
        """Start one more; False where there are no more threads, and others read already."""
        with self._changed:
            self._readers += 1
        try:
            threading.Thread(target=self._read, name="coldpress-prefetch", daemon=True).start()
        except RuntimeError:
            with self._changed:
                self._readers -= 1
                if not self._readers and self._left:
                    raise
            return False
        return True

    def wait_for_graph(self) -> None:
        """Wait until the graph is here and right, and each file there and of its size.

        Raises DamagedError.
        """
        files = self._files.values()
        self._wait(lambda: not self._graph_left and all(file.is_open for file in files))

    def wait(self) -> None:
        """Wait until all is here and right; raises DamagedError."""
        self._wait(lambda: not self._left)
        while self._whole:  # their pages are here by now, so one reader does
            check_file(*self._whole[-1])
            self._whole.pop()

    def wait_until_read(self) -> None:
        """Wait until nothing is left to read, whatever came of it."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or not self._left)

    def wait_for_folder(self, folder: Path) -> None:
        """Wait until what lies in one of its folders is here and right; raises DamagedError."""
        self._wait(lambda: all(piece.file.folder != folder for piece in self._left))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.stop()

    def stop(self) -> None:
        """Begin no other piece: nobody needs it any more."""
        self._fail(InterruptedError("nobody waits for what is being read"))

    def _wait(self, is_there: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._error or is_there())
            if self._error:
                raise self._error

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self._error = self._error or error
            self._queue.clear()
            self._changed.notify_all()

    def _read(self) -> None:
        """Read pieces until none is left. Runs in each reader's thread."""
        try:
            block = _block()
            while piece := self._next():
                _read_piece(self._files[piece.file].descriptor(), piece, block)
                self._done(piece)
        except BaseException as error:
            self._fail(error)
        finally:
            with self._changed:
                self._readers -= 1
                is_last = not self._readers
            if is_last:
                for file in self._files.values():
                    file.close()

    def _next(self) -> FileRange | None:
        with self._changed:
            return self._queue.popleft() if self._queue else None

    def _done(self, piece: FileRange) -> None:
        with self._changed:
            self._left.discard(piece)
            self._graph_left.discard(piece)
            self._changed.notify_all()


def begin_prefetch(variant_files: VariantFiles, verify: Verify = Verify.CHUNKS) -> Prefetch:
    """Begin to read what a form needs; raises DamagedError where its manifest is at odds."""
    return Prefetch(plan_reads(variant_files, verify), checks_sizes=verify is not Verify.OFF)


def check_pieces(pieces: Iterable[FileRange]) -> None:
    """Read pieces one after another, in this thread; raises DamagedError at the first wrong one."""
    block = _block()
    files: dict[File, _Opened] = {}
    with contextlib.ExitStack() as opened:
        for piece in pieces:
            if piece.file not in files:
                files[piece.file] = _Opened(piece.file, checks_size=True)
                opened.callback(files[piece.file].close)
            _read_piece(files[piece.file].descriptor(), piece, block)


class _Opened:
    """A file that is opened once, by whoever needs it first."""

    def __init__(self, file: File, checks_size: bool) -> None:
        self._file = file
        self._checks_size = checks_size
        self._lock = threading.Lock()
        self._stream: BufferedReader | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was found there, and as long as it was published."""
        return self._stream is not None

    def descriptor(self) -> int:
        """Its descriptor; raises DamagedError where it is missing, or is not what was published."""
        with self._lock:
            if self._stream is None:
                self._stream = self._open()
            return self._stream.fileno()

    def close(self) -> None:
        """Close it; the descriptor is nobody's then."""
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> BufferedReader:
        folder, entry = self._file
        try:
            stream = open_beneath(folder, entry.path)
        except OSError as error:
            raise DamagedError(f"{folder / entry.path} cannot be read: {error.strerror}") from error
        size = os.fstat(stream.fileno()).st_size
        if self._checks_size and size != entry.size_bytes:
            stream.close()
            raise DamagedError(
                f"{folder / entry.path} is damaged: {size} bytes, published as "
                f"{entry.size_bytes} bytes"
            )
        return stream


def _block() -> memoryview:
    """Memory to read into, which goes back to the system: no allocator keeps it."""
    return memoryview(mmap.mmap(-1, _BLOCK_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _read_piece(descriptor: int, piece: FileRange, block: memoryview) -> None:
    """Read a piece, and hold it to its digest; raises DamagedError."""
    path = piece.file.folder / piece.file.entry.path
    digest, at = hashlib.sha256(), 0
    while at < piece.size_bytes:
        into = block[: piece.size_bytes - at]
        try:
            got = os.preadv(descriptor, [into], piece.offset + at)
        except OSError as error:
            raise DamagedError(f"{path} cannot be read: {error.strerror}") from error
        if not got:
            raise DamagedError(f"{path} is damaged: it ends at byte {piece.offset + at}")
        if piece.digest is not None:
            digest.update(into[:got])
        at += got
    if piece.digest is not None and digest.hexdigest() != piece.digest:
        raise DamagedError(
            f"{path} is damaged: its {piece.size_bytes} bytes from {piece.offset} on have digest "
            f"sha256:{digest.hexdigest()}, published with sha256:{piece.digest}"
        )
