"""Process many files with a few threads.

Threads help because reads wait for the file system and hashing releases the GIL. Items are taken
from their iterable when a thread is free, so only a few are in memory. The first error stops all
threads: each ends at its next block.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from model_sync.progress import Progress

_Item = TypeVar("_Item")

THREADS: Final = 16
"""Measured on two processors: 1,500 files that take 5 ms each to open, as over NFS, take 7.8 s by
one thread, 0.98 s by 8 and 0.49 s by 16; 512 MiB in the page cache 0.33 s by one, 0.17 s by two and
0.18 s by 16. Each thread has at most one block of 1 MiB in memory."""

_END: Final = object()


class StoppedError(Exception):
    """Another thread failed, so this thread's work is no longer needed."""


class SharedProgress:
    """The progress of one step, reported by several threads; also stops these threads."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._stopped = threading.Event()

    def advance(self, n_bytes: int) -> None:
        """Report that `n_bytes` more are done; raises StoppedError once the work is stopped."""
        if self._stopped.is_set():
            raise StoppedError
        with self._lock:
            self._progress.advance(n_bytes)

    def stop(self) -> None:
        """Make the threads end at their next block."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """True once the work is stopped."""
        return self._stopped.is_set()


def in_parallel(
    work: Callable[[_Item], None], items: Iterable[_Item], shared: SharedProgress
) -> None:
    """Call `work` for each item, in any order; raise the first error that a call raised.

    Only one thread at a time iterates `items`.
    """
    iterator, lock = iter(items), threading.Lock()

    def drain() -> None:
        while not shared.is_stopped:
            with lock:
                item = next(iterator, _END)
            if item is _END:
                return
            work(item)  # type: ignore[arg-type]

    with ThreadPoolExecutor(THREADS, thread_name_prefix="store") as pool:
        try:
            for done in as_completed([pool.submit(drain) for _ in range(THREADS)]):
                done.result()
        except BaseException:
            shared.stop()
            raise
