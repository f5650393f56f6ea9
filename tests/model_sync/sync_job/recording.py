"""A Progress that records its reports, for tests that wait for one."""

from __future__ import annotations

import threading
from typing import Final

DEADLINE_S: Final = 30.0


class Recording:
    """`told` holds steps and numbers of bytes in turn, `totals` the steps' sizes."""

    def __init__(self) -> None:
        self.told: list[str | int] = []
        self.totals: list[int] = []
        self._changed = threading.Condition()

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Keep a step."""
        with self._changed:
            self.told.append(what)
            self.totals.append(total_bytes)
            self._changed.notify_all()

    def advance(self, n_bytes: int) -> None:
        """Keep bytes."""
        with self._changed:
            self.told.append(n_bytes)
            self._changed.notify_all()

    def wait_for(self, what: str | int) -> None:
        """Wait until this was told; to wait in vain is an error."""
        with self._changed:
            assert self._changed.wait_for(lambda: what in self.told, DEADLINE_S), str(self.told)
