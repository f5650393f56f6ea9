"""Time limit for preparing versions: a value that is passed down."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    RemainingMs = Callable[[], float]

MARGIN_MS: Final = 20_000
"""Of an invocation, kept for noting how far it is, for committing, and for answering."""


@dataclass(frozen=True, slots=True)
class TimeLimit:
    """What whoever prepares a version keeps to.

    `remaining_ms` tells what is left of the sync function's invocation; None: there is no end.
    """

    remaining_ms: RemainingMs | None = None

    def leaves_ms(self, milliseconds: float) -> bool:
        """Whether so much time is left."""
        return self.remaining_ms is None or self.remaining_ms() >= milliseconds

    def seconds_left(self) -> float:
        """For how long one more step may run, 0 at the least; infinite where there is no end."""
        if self.remaining_ms is None:
            return math.inf
        return max(self.remaining_ms() - MARGIN_MS, 0) / 1000


NO_LIMIT: Final = TimeLimit()
"""Those of this process."""
