"""Elapsed time in a process that may be frozen.

Lambda freezes an environment between its calls and does not promise which clock advances then. The
elapsed time is therefore the larger of the wall clock's and the monotonic clock's.
"""

from __future__ import annotations

import time
from typing import NamedTuple, Self


class Moment(NamedTuple):
    """A point in time on both clocks, in seconds."""

    wall_s: float
    monotonic_s: float

    @classmethod
    def now(cls) -> Self:
        """Read both clocks."""
        return cls(time.time(), time.monotonic())

    def elapsed_s(self, now: Moment) -> float:
        """Return the seconds from this moment to `now`; at least 0, even if a clock went back."""
        return max(now.wall_s - self.wall_s, now.monotonic_s - self.monotonic_s, 0.0)
