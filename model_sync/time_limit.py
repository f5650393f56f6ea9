"""Time limit for preparing versions, passed down as a value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    RemainingMs = Callable[[], float]

MARGIN_MS: Final = 20_000
"""Part of an invocation that is reserved for saving progress, committing and answering."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """Time limit for preparing a version.

    `remaining_ms` returns the time left of the sync function's invocation; None: no limit.
    """

    remaining_ms: RemainingMs | None = None

    def leaves_ms(self, milliseconds: float) -> bool:
        """Return True if at least that much time is left."""
        return self.remaining_ms is None or self.remaining_ms() >= milliseconds

    def seconds_left(self) -> float:
        """Return how long one more step may run: at least 0, infinite without a limit."""
        if self.remaining_ms is None:
            return math.inf
        return max(self.remaining_ms() - MARGIN_MS, 0) / 1000


NO_LIMIT: Final = TimeLimit()
"""No limit, as on a caller's own machine."""
