"""A few daemon threads that make calls for an event loop.

Not a ThreadPoolExecutor: that one's threads are waited for when the process ends, and a call that
never ends would keep it from ending.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Workers:
    """`count` threads that take calls in the order in which they come."""

    def __init__(self, count: int, name: str) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    async def call(self, work: Callable[[], Any]) -> Any:
        """Run `work` in one of the threads and return its result; it must not raise."""
        loop = asyncio.get_running_loop()
        answered = loop.create_future()

        def run() -> None:
            result = work()
            loop.call_soon_threadsafe(_answer, answered, result)

        self._calls.put(run)
        return await answered

    def _work(self) -> None:
        while True:
            self._calls.get()()


def _answer(answered: asyncio.Future[Any], result: object) -> None:
    if not answered.done():  # who waited for it may have gone
        answered.set_result(result)
