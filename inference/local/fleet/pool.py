"""Assign calls to environments as Lambda does: one call at a time in each.

A call goes to the idle environment that answered last, so the others stay idle and are stopped
after `idle_s`. An environment that is being frozen after its answer counts as idle: the call waits
for it. When all are busy, another one starts, up to `most`. Beyond that, up to `most_waiting` calls
wait in the order of arrival; Lambda would refuse them at once.

Each slot has a thread of its own, which ends with its environment. The lock guards the lists of
idle workers and waiting calls, and is never held while an environment is called, started or ended.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import deque
from concurrent.futures import Future
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from inference.local.fleet.errors import LambdaEnvironmentError, ThrottledError
from inference.local.fleet.slot import Slot
from inference.process.daemon_thread import in_thread

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from inference.local.fleet.slot import NumberedEnvironment

_END_S: Final = 30.0


class Answered(NamedTuple):
    """A function's answer, and the number of its environment."""

    payload: bytes
    environment: int


class _Call(NamedTuple):
    payload: bytes
    answered: Future[Answered]


class _Worker(NamedTuple):
    """A slot, and the queue of its calls, in which None ends its thread."""

    slot: Slot
    inbox: queue.SimpleQueue[_Call | None]


class Fleet:
    """Up to `most` environments. A context manager: leaving it ends them all. Thread-safe."""

    def __init__(
        self,
        make: Callable[[], NumberedEnvironment],
        *,
        most: int,
        most_waiting: int,
        idle_s: float,
        report: Callable[[str], None],
    ) -> None:
        self._make = make
        self._most, self._most_waiting, self._idle_s = most, most_waiting, idle_s
        self._report = report
        self._lock = threading.Lock()
        self._workers: list[_Worker] = []
        self._idle: list[_Worker] = []
        self._settling = 0
        self._waiting: deque[_Call] = deque()
        self._ending = False

    def submit(self, payload: bytes) -> Future[Answered]:
        """Submit an event; the Future may be cancelled while the call waits.

        The Future raises the errors of LambdaEnvironment.invoke_raw. Raises ThrottledError.
        """
        call = _Call(payload, Future())
        with self._lock:
            if self._ending:
                raise ThrottledError("the fleet is ending")
            if self._idle:
                self._idle.pop().inbox.put(call)
            elif len(self._waiting) < self._settling:
                self._waiting.append(call)
            elif len(self._workers) < self._most:
                self._add_worker(call)
            elif self._has_room():
                self._waiting.append(call)
            else:
                raise ThrottledError(
                    f"all {self._most} environments are busy and {self._most_waiting} calls wait"
                )
        return call.answered

    def stop(self) -> None:
        """End every environment, also busy ones; may be called again."""
        with self._lock:
            self._ending = True
            workers = list(self._workers)
            for call in self._waiting:
                call.answered.cancel()
            self._waiting.clear()
            for worker in self._idle:
                worker.inbox.put(None)
            self._idle.clear()
        ends = [in_thread(worker.slot.end, "fleet-end") for worker in workers]
        deadline = time.monotonic() + _END_S
        for end in ends:
            with contextlib.suppress(LambdaEnvironmentError, TimeoutError):
                end.result(max(0.0, deadline - time.monotonic()))
        while self._workers and time.monotonic() < deadline:
            time.sleep(0.005)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _has_room(self) -> bool:
        if len(self._waiting) >= self._most_waiting:
            kept = [call for call in self._waiting if not call.answered.cancelled()]
            self._waiting = deque(kept)
        return len(self._waiting) < self._most_waiting

    def _add_worker(self, call: _Call) -> None:
        """Start a slot's thread with its first call. Call this with the lock held."""
        worker = _Worker(Slot(self._make, self._report), queue.SimpleQueue())
        worker.inbox.put(call)
        self._workers.append(worker)
        threading.Thread(
            target=self._work, args=(worker,), name="fleet-environment", daemon=True
        ).start()

    def _work(self, worker: _Worker) -> None:
        """Answer calls until none has come for `idle_s`. Runs in the slot's thread."""
        try:
            while call := self._next(worker):
                uncancelled = call.answered.set_running_or_notify_cancel()
                give = _answer(worker.slot, call) if uncancelled else _nothing
                with self._lock:  # before the caller gets its answer and may call again
                    self._settling += 1
                give()
                worker.slot.settle()
                self._make_idle(worker)
        finally:
            with contextlib.suppress(LambdaEnvironmentError):
                worker.slot.end()
            with self._lock:
                self._workers.remove(worker)

    def _next(self, worker: _Worker) -> _Call | None:
        try:
            return worker.inbox.get(timeout=self._idle_s)
        except queue.Empty:
            with self._lock:
                if worker in self._idle:
                    self._idle.remove(worker)
                    return None
            return worker.inbox.get()  # a call, or None, has just been put into the queue

    def _make_idle(self, worker: _Worker) -> None:
        """Give the slot the call that has waited longest, or note the slot as idle."""
        with self._lock:
            self._settling -= 1
            if self._ending:
                worker.inbox.put(None)
            elif self._waiting:
                worker.inbox.put(self._waiting.popleft())
            else:
                self._idle.append(worker)


def _answer(slot: Slot, call: _Call) -> Callable[[], None]:
    """Answer a call; return the function that gives the caller its answer or error."""

    def give(payload: bytes, number: int) -> None:
        call.answered.set_result(Answered(payload, number))

    try:
        payload, number = slot.answer(call.payload, give)
    except BaseException as error:
        return _nothing if call.answered.done() else partial(call.answered.set_exception, error)
    return _nothing if call.answered.done() else partial(give, payload, number)


def _nothing() -> None:
    """Do nothing: the call was cancelled, or already has its answer."""
