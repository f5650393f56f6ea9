"""Threads that start together."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(0)` to `work(count - 1)` in threads that start together; raises what they raise."""
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        barrier.wait(DEADLINE_S)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=DEADLINE_S * 2))
