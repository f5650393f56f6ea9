"""Stops processes as Lambda stops an environment between its calls, and lets them run again."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

from inference.local.fleet import process_supervisor as keeping
from inference.local.fleet.errors import LambdaEnvironmentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DEADLINE_S: Final = 10.0
_FIRST_PAUSE_S: Final = 0.0002
_MOST_PAUSE_S: Final = 0.005


class Freezer:
    """What is stopped of a tree of processes. Not thread-safe."""

    def __init__(self, processes: Callable[[], Iterable[int]]) -> None:
        self._processes = processes
        self.frozen: list[int] = []

    def freeze(self) -> None:
        """Stop every process, and return when no thread of them runs.

        A thread inside a system call that nothing interrupts, such as a read of a slow disk, may
        finish that call; it goes no further. Raises LambdaEnvironmentError.
        """
        deadline = time.monotonic() + _DEADLINE_S
        # Look again when all known ones are still: one may have forked before it stopped.
        while fresh := [pid for pid in self._processes() if pid not in self.frozen]:
            pause_s = _FIRST_PAUSE_S
            keeping.signal_all(fresh, signal.SIGSTOP)
            self.frozen += fresh
            while any(map(keeping.runs, fresh)):
                if time.monotonic() > deadline:
                    raise LambdaEnvironmentError(f"did not freeze in {_DEADLINE_S:g} s")
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, _MOST_PAUSE_S)

    def thaw(self) -> None:
        """Let every process run that `freeze` stopped; what runs already is left alone."""
        keeping.signal_all(self.frozen, signal.SIGCONT)
        self.frozen = []

    def all_there(self) -> bool:
        """Tell whether every process that was stopped can still go on."""
        return all(map(keeping.lives, self.frozen))
