"""Runs file operations that may hang, and waits for each only so long.

An NFS mount with the `hard` option makes a lost server a hang, not an error. Each operation runs
in a daemon thread of its own; who waits for it gives up at a deadline, and the thread is left to
finish, or not. The same operation is never under way twice, and there is a limit to how many may
hang at once.
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

MAX_UNDER_WAY: Final = 64


class DeadlineCalls:
    """Operations under way, by key. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[Any]] = {}

    def is_under_way(self, key: Hashable) -> bool:
        """Tell whether an operation has been started and has not ended."""
        with self._lock:
            return key in self._under_way

    def run(self, key: Hashable, work: Callable[[], T], deadline_s: float) -> T:
        """Run `work`, or join it if `key` is under way, and return its result.

        Raises what `work` raises, and StoreUnreachableError when `deadline_s` have passed; the
        operation then goes on, and whatever it does at its end still happens.
        """
        with self._lock:
            future = self._under_way.get(key)
            if future is None:
                if len(self._under_way) >= MAX_UNDER_WAY:
                    raise StoreUnreachableError(
                        f"the store does not answer: {MAX_UNDER_WAY} operations hang"
                    )
                future = in_thread(lambda: self._finish(key, work), f"coldpress-{key}")
                self._under_way[key] = future
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
                del self._under_way[key]
