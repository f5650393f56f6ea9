"""Run file operations that may hang, and wait for each only until a deadline.

An NFS mount with the `hard` option turns a lost server into a hang, not an error. Each operation
runs in a daemon thread of its own. Its caller gives up at the deadline; the thread stays, and ends
if the operation does. An operation never runs twice at once, and the number of operations in
progress is limited.
"""

from __future__ import annotations

import threading
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, Final, TypeVar

from inference.process.daemon_thread import in_thread
from model_store.errors import StoreUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from concurrent.futures import Future

T = TypeVar("T")

MAX_IN_PROGRESS: Final = 64


class DeadlineCalls:
    """Operations in progress, by key. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_progress: dict[Hashable, Future[Any]] = {}

    def is_in_progress(self, key: Hashable) -> bool:
        """Return True if the operation with this key is in progress."""
        with self._lock:
            return key in self._in_progress

    def run(self, key: Hashable, work: Callable[[], T], deadline_s: float) -> T:
        """Run `work`, or join the operation with this key if it is in progress; return its result.

        Raises what `work` raises, and StoreUnreachableError after `deadline_s`. The operation then
        continues, and its side effects still happen.
        """
        with self._lock:
            future = self._in_progress.get(key)
            if future is None:
                if len(self._in_progress) >= MAX_IN_PROGRESS:
                    raise StoreUnreachableError(
                        f"the store does not answer: {MAX_IN_PROGRESS} operations hang"
                    )
                future = in_thread(lambda: self._finish(key, work), f"coldpress-{key}")
                self._in_progress[key] = future
        ended, _ = wait([future], deadline_s)
        if not ended:
            raise StoreUnreachableError(f"the store did not answer within {deadline_s:g} s")
        result: T = future.result()
        return result

    def _finish(self, key: Hashable, work: Callable[[], T]) -> T:
        try:
            return work()
        finally:
            with self._lock:
                del self._in_progress[key]
