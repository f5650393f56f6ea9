"""Freeze processes as Lambda freezes an environment between its calls, and continue them."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

from inference.local.fleet import process_supervisor
from inference.local.fleet.errors import LambdaEnvironmentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DEADLINE_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.0002
_MOST_PAUSE_S: Final = 0.005


class Freezer:
    """The frozen processes of a process tree. Not thread-safe."""

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        self._processes = processes
        self.frozen: list[int] = []

    def freeze(self) -> None:
        """Stop every process, and return when none of their threads runs.

        A thread in an uninterruptible system call, such as a read of a slow disk, may finish that
        call, and then stops. Raises LambdaEnvironmentError.
        """
        deadline = time.monotonic() + _DEADLINE_S
        # List the processes again after all have stopped: one may have forked before.
        while running := [pid for pid in self._processes() if pid not in self.frozen]:
            pause_s = _FIRST_PAUSE_S
            process_supervisor.signal_all(running, signal.SIGSTOP)
            self.frozen += running
            while any(map(process_supervisor.runs, running)):
                if time.monotonic() > deadline:
                    raise LambdaEnvironmentError(f"the processes did not stop in {_DEADLINE_S:g} s")
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _MOST_PAUSE_S)

    def thaw(self) -> None:
        """Continue every process that `freeze` stopped."""
        process_supervisor.signal_all(self.frozen, signal.SIGCONT)
        self.frozen = []

    def all_alive(self) -> bool:
        """Return True if every frozen process still exists and can continue."""
        return all(map(process_supervisor.lives, self.frozen))
