"""Elapsed time in a process that may be frozen.

Lambda stops an environment between its calls. Which clock goes on meanwhile is not promised, so
what has elapsed is the larger of what the wall clock and the monotonic clock say.
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
        """How long ago this moment was at `now`; never less than 0, whatever a clock did."""
        return max(now.wall_s - self.wall_s, now.monotonic_s - self.monotonic_s, 0.0)
