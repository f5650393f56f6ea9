"""Waiting with a deadline, threads that start together, and the real loader on a leash."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from inference.loading.loader import load_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.loading.loaded_version import LoadedVersion
    from inference.loading.memory_need import Need
    from model_store.layout import StoreLayout
    from model_store.refs import VersionEntry

T = TypeVar("T")

DEADLINE_S = 30.0


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, but not for ever."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """Run `work(0)` to `work(count - 1)` in threads that start together; raises what they raise."""
    barrier = threading.Barrier(count)

    def run(number: int) -> T:
        barrier.wait(DEADLINE_S)
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count), timeout=DEADLINE_S * 2))


class WatchedLoader:
    """The real loader: counted, and held back while its gate is closed."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.loads: list[int] = []

    def __call__(
        self,
        layout: StoreLayout,
        model: str,
        number: int,
        entry: VersionEntry,
        make_room: Callable[[Need], None] | None = None,
    ) -> LoadedVersion:
        self.loads.append(number)
        assert self.gate.wait(DEADLINE_S), "the gate stayed closed"
        return load_version(layout, model, number, entry, make_room)
