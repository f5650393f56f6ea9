"""Read the files that a version needs into the page cache, with many readers, and check them.

A single reader pays a round trip for each read. A network file system that serves many reads at
once is many times as fast (docs/performance.md). ONNX Runtime then reads or maps the same pages of
the page cache that were checked.

Readers are daemon threads: a hanging mount blocks the callers of `wait`, not the process's exit.
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
"""Number of concurrent reader threads. Measured: docs/performance.md."""

_BLOCK_BYTES: Final = 1 << 20
"""Size of each reader's buffer. With less, readers wait more often for the interpreter lock while
imports run."""


class Prefetch:
    """Reads of a version's files, in progress from construction until done or stopped.

    As a context manager, it stops the reads if the block raises.
    """

    def __init__(self, plan: ReadPlan, *, checks_sizes: bool = True) -> None:
        self.rest: Final = plan.rest
        """File ranges that loading does not need, to be checked later (`check_file_ranges`)."""
        self._changed: Final = threading.Condition()
        self._queue: Final = deque((*plan.graph, *plan.others))
        self._graph_left: Final = set(plan.graph)
        self._left: Final = set(self._queue)
        self._whole: Final = list(plan.whole)
        self._error: BaseException | None = None
        self._files: Final = {
            file_range.file: _LazyFile(file_range.file, checks_sizes) for file_range in self._left
        }
        self._readers = 0
        for _ in range(min(READERS, len(self._queue))):
            if not self._start_reader():
                break

    def _start_reader(self) -> bool:
        """Start one more reader; return False if no thread is left but others are reading."""
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
        """Wait until the graph is checked, and each file is open and has its published size.

        Raises DamagedError.
        """
        files = self._files.values()
        self._wait(lambda: not self._graph_left and all(file.is_open for file in files))

    def wait(self) -> None:
        """Wait until everything is read and checked; raises DamagedError."""
        self._wait(lambda: not self._left)
        while self._whole:  # from the page cache: one reader is enough
            check_file(*self._whole[-1])
            self._whole.pop()

    def wait_until_read(self) -> None:
        """Wait until nothing is left to read, or reading failed. Raises nothing."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or not self._left)

    def wait_for_folder(self, folder: Path) -> None:
        """Wait until the files in `folder` are read and checked; raises DamagedError."""
        self._wait(lambda: all(file_range.file.folder != folder for file_range in self._left))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.stop()

    def stop(self) -> None:
        """Start no further read. Callers that wait get an InterruptedError."""
        self._fail(InterruptedError("the reads were stopped"))

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
        """Read file ranges until none is left. Runs in each reader thread."""
        try:
            buffer = _buffer()
            while file_range := self._next():
                _read_range(self._files[file_range.file].descriptor(), file_range, buffer)
                self._done(file_range)
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

    def _done(self, file_range: FileRange) -> None:
        with self._changed:
            self._left.discard(file_range)
            self._graph_left.discard(file_range)
            self._changed.notify_all()


def begin_prefetch(variant_files: VariantFiles, verify: Verify = Verify.CHUNKS) -> Prefetch:
    """Start reading the files of a variant.

    Raises DamagedError if the preparation's manifest contradicts itself.
    """
    return Prefetch(plan_reads(variant_files, verify), checks_sizes=verify is not Verify.OFF)


def check_file_ranges(file_ranges: Iterable[FileRange]) -> None:
    """Read and check file ranges in this thread; raises DamagedError at the first damaged one."""
    buffer = _buffer()
    files: dict[File, _LazyFile] = {}
    with contextlib.ExitStack() as stack:
        for file_range in file_ranges:
            if file_range.file not in files:
                files[file_range.file] = _LazyFile(file_range.file, checks_size=True)
                stack.callback(files[file_range.file].close)
            _read_range(files[file_range.file].descriptor(), file_range, buffer)


class _LazyFile:
    """A file that is opened by the first reader that needs it."""

    def __init__(self, file: File, checks_size: bool) -> None:
        self._file = file
        self._checks_size = checks_size
        self._lock = threading.Lock()
        self._stream: BufferedReader | None = None

    @property
    def is_open(self) -> bool:
        """True once the file was opened and had its published size."""
        return self._stream is not None

    def descriptor(self) -> int:
        """Return the file's descriptor, opening it if necessary.

        Raises DamagedError if the file is missing, or is not of its published size.
        """
        with self._lock:
            if self._stream is None:
                self._stream = self._open()
            return self._stream.fileno()

    def close(self) -> None:
        """Close the file; its descriptor is invalid afterwards."""
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


def _buffer() -> memoryview:
    """Allocate a read buffer that is returned to the system when freed, past any allocator."""
    return memoryview(mmap.mmap(-1, _BLOCK_BYTES, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))


def _read_range(descriptor: int, file_range: FileRange, buffer: memoryview) -> None:
    """Read a file range and compare its digest; raises DamagedError."""
    path = file_range.file.folder / file_range.file.entry.path
    digest, position = hashlib.sha256(), 0
    while position < file_range.size_bytes:
        target = buffer[: file_range.size_bytes - position]
        try:
            n_bytes = os.preadv(descriptor, [target], file_range.offset + position)
        except OSError as error:
            raise DamagedError(f"{path} cannot be read: {error.strerror}") from error
        if not n_bytes:
            raise DamagedError(f"{path} is damaged: it ends at byte {file_range.offset + position}")
        if file_range.digest is not None:
            digest.update(target[:n_bytes])
        position += n_bytes
    if file_range.digest is not None and digest.hexdigest() != file_range.digest:
        raise DamagedError(
            f"{path} is damaged: its {file_range.size_bytes} bytes from {file_range.offset} on "
            f"have digest sha256:{digest.hexdigest()}, published with sha256:{file_range.digest}"
        )
