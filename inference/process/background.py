"""What goes on off the request's path: loads, above all, of versions that come to be published.

Lambda freezes an environment when it has answered, and a thread then stands still until the next
call. So that somebody can keep the environment running (lambda_runtime/extension.py), every such work is started
here, and here is known whether any is under way.

A process must not end while ONNX Runtime works in one of its threads: Python stops threads that
come back to it by unwinding them, through C++ that does not expect it, and the process aborts. So
at its end it waits a little; `leave` ends it for good.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from inference.process.daemon_thread import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")

AT_EXIT_S: Final = 5.0
"""How long a process that ends waits for what is under way in it."""


class Background:
    """The work of one environment that nobody's call waits for. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[Future[Any]] = set()
        self._calls = 0
        self._awaits_call = False
        self._deferred: list[Callable[[], object]] = []
        _every.add(self)

    def start(self, work: Callable[[], T], name: str) -> Future[T]:
        """Start `work` in a daemon thread; its result or exception goes to the Future.

        Whoever is told afterwards that nothing is under way also finds the Future done.
        """
        future = in_thread(work, name)
        with self._changed:
            self._under_way.add(future)
        future.add_done_callback(self._note_end)  # at once, if it has ended meanwhile
        return future

    def start_after_calls(self, work: Callable[[], object], name: str) -> None:
        """Start `work` when no call is under way: it must not take from one what it needs now."""
        with self._changed:
            if self._calls or self._awaits_call:
                self._deferred.append(lambda: self.start(work, name))
                return
        self.start(work, name)

    def await_call(self) -> None:
        """Note that a call is about to come, as INIT does: what starts after calls waits for it."""
        with self._changed:
            self._awaits_call = True

    def begin_call(self) -> None:
        """Note that a call is being answered, until `end_call`."""
        with self._changed:
            self._calls += 1
            self._awaits_call = False

    def end_call(self) -> None:
        """Note that a call is over; after the last, what waited for that starts."""
        with self._changed:
            self._calls -= 1
            if self._calls or not self._deferred:
                return
            deferred, self._deferred = self._deferred, []
        for start in deferred:
            start()

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


_every: Final[weakref.WeakSet[Background]] = weakref.WeakSet()


def wait_for_all(deadline_s: float = AT_EXIT_S) -> bool:
    """Wait until nothing is under way in this process; False if `deadline_s` pass before."""
    end_s = time.monotonic() + deadline_s
    while busy := [each for each in list(_every) if each.busy()]:
        if not all(each.wait(end_s - time.monotonic()) for each in busy):
            return False
    return True


atexit.register(wait_for_all)


def leave(code: int) -> NoReturn:
    """End this process, whatever goes on in it: a load that hangs with a lost mount, perhaps."""
    if wait_for_all():
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__):
        if stream is not None:
            stream.flush()
    os._exit(code)
