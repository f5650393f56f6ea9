"""Background work of one environment: above all, loads of newly published versions.

Lambda freezes an environment after an answer, and its threads stand still until the next call. All
background work is therefore started here, so that the extension (lambda_runtime/extension.py) can
keep the environment running while any is in progress.

A process must not exit while ONNX Runtime works in one of its threads. Python stops such a thread
by unwinding it when it returns to the interpreter; ONNX Runtime's C++ frames do not expect that,
and the process aborts. An exiting process therefore waits a little, and `leave` ends it in any
case.
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
"""Time that an exiting process waits for background work."""


class Background:
    """Background work of one environment: work that no call waits for. Thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_progress: set[Future[Any]] = set()
        self._calls = 0
        self._awaits_call = False
        self._deferred: list[Callable[[], object]] = []
        _every.add(self)

    def start(self, work: Callable[[], T], name: str) -> Future[T]:
        """Start `work` in a daemon thread; its result or exception goes to the Future.

        The Future is done before `busy` and `wait` report that the work has ended.
        """
        future = in_thread(work, name)
        with self._changed:
            self._in_progress.add(future)
        future.add_done_callback(self._note_end)  # called at once if the work has ended already
        return future

    def start_after_calls(self, work: Callable[[], object], name: str) -> None:
        """Start `work` once no call is in progress, so that it takes no processor time from one."""
        with self._changed:
            if self._calls or self._awaits_call:
                self._deferred.append(lambda: self.start(work, name))
                return
        self.start(work, name)

    def await_call(self) -> None:
        """Announce a call that is about to come, as INIT does: deferred work waits for it."""
        with self._changed:
            self._awaits_call = True

    def begin_call(self) -> None:
        """Note that a call has begun; it lasts until `end_call`."""
        with self._changed:
            self._calls += 1
            self._awaits_call = False

    def end_call(self) -> None:
        """Note that a call has ended. After the last one, start the deferred work."""
        with self._changed:
            self._calls -= 1
            if self._calls or not self._deferred:
                return
            deferred, self._deferred = self._deferred, []
        for start in deferred:
            start()

    def busy(self) -> bool:
        """Return True if any started work has not ended."""
        with self._changed:
            return bool(self._in_progress)

    def wait(self, deadline_s: float) -> bool:
        """Wait until all work started so far has ended; return False after `deadline_s`.

        Work that is started during the wait is not waited for: call `busy` again.
        """
        with self._changed:
            started = frozenset(self._in_progress)
            return self._changed.wait_for(
                lambda: started.isdisjoint(self._in_progress), max(0.0, deadline_s)
            )

    def _note_end(self, future: Future[Any]) -> None:
        with self._changed:
            self._in_progress.discard(future)
            self._changed.notify_all()


_every: Final[weakref.WeakSet[Background]] = weakref.WeakSet()


def wait_for_all(deadline_s: float = AT_EXIT_S) -> bool:
    """Wait until no work is in progress in this process; return False after `deadline_s`."""
    end_s = time.monotonic() + deadline_s
    while busy := [each for each in list(_every) if each.busy()]:
        if not all(each.wait(end_s - time.monotonic()) for each in busy):
            return False
    return True


atexit.register(wait_for_all)


def leave(code: int) -> NoReturn:
    """End this process even if work hangs in it, such as a load from a lost mount."""
    if wait_for_all():
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__):
        if stream is not None:
            stream.flush()
    os._exit(code)
