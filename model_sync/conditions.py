"""Under which conditions versions are prepared: how long it may take. A value, passed down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    RemainingMs = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Conditions:
    """What whoever prepares a version keeps to.

    `remaining_ms` tells what is left of the sync function's invocation; None: there is no end.
    """

    remaining_ms: RemainingMs | None = None

    def leaves_ms(self, milliseconds: float) -> bool:
        """Whether so much time is left."""
        return self.remaining_ms is None or self.remaining_ms() >= milliseconds


AS_HERE: Final = Conditions()
"""Those of this process."""
