"""What goes on off the request's path: loads, above all, of versions that come to be published.

Lambda freezes an environment when it has answered, and a thread then stands still until the next
call. So that somebody can keep the environment running (extension.py), every such work is started
here, and here is known whether any is under way.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, TypeVar

from inference.bounded import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


class Background:
    """The work of one environment that nobody's call waits for. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[Future[Any]] = set()

    def start(self, work: Callable[[], T], name: str) -> Future[T]:
        """Start `work` in a daemon thread; its result or exception goes to the Future.

        Whoever is told afterwards that nothing is under way also finds the Future done.
        """
        future = in_thread(work, name)
        with self._changed:
            self._under_way.add(future)
        future.add_done_callback(self._note_end)  # at once, if it has ended meanwhile
        return future

    def busy(self) -> bool:
        """Tell whether work has been started that has not ended."""
        with self._changed:
            return bool(self._under_way)

    def wait(self, deadline_s: float) -> bool:
        """Wait until all work started so far has ended; False if `deadline_s` pass before.

        What is started meanwhile is not waited for: ask `busy` again.
        """
        with self._changed:
            started = frozenset(self._under_way)
            return self._changed.wait_for(
                lambda: started.isdisjoint(self._under_way), max(0.0, deadline_s)
            )

    def _note_end(self, future: Future[Any]) -> None:
        with self._changed:
            self._under_way.discard(future)
            self._changed.notify_all()
