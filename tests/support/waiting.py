"""Waiting with a deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEADLINE_S = 30.0


def wait_until(
    condition: Callable[[], T], what: str = "waited in vain", *, deadline_s: float = DEADLINE_S
) -> T:
    """Wait until a condition holds and return its value; fail with `what` at the deadline."""
    deadline = time.monotonic() + deadline_s
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.002)
    return found
