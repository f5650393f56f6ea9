"""Retries of versions that failed to load: pure functions of values.

A failure is recorded by the digest of the version's contents: the same contents under another
number would fail, too.

- Contents that are at fault, while another version answers: not tried again until refs change,
  since the remedy is to publish or to roll back.
- Contents that are at fault, while nothing else answers: tried again after a while, in case the
  environment was at fault.
- Any other cause: tried again soon.

Each failure doubles the time until the next try.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from inference.process.clock import Moment

RETRY_BROKEN_S: Final = 30.0
"""Shortest time between the first failure of contents and the next try."""

LONGEST_RETRY_S: Final = 900.0

RETRY_PASSING_S: Final = 2.0
"""Shortest time between two tries if the contents were not at fault."""

LONGEST_PASSING_S: Final = 60.0


class Fault(Enum):
    """Cause of a failed load."""

    CONTENTS = "contents"
    PASSING = "passing"
    """The store or a temporary condition was at fault, not the contents."""
    MEMORY = "memory"
    """The version needs more memory than this environment has: status 507."""


class Failure(NamedTuple):
    """A version's last failed load. `tries`: number of failures in a row."""

    version: int
    fault: Fault
    reason: str
    at: Moment
    generation: int
    tries: int = 1


def is_quarantined(
    failure: Failure, generation: int, now: Moment, *, something_answers: bool
) -> bool:
    """Return True if contents must not be loaded now. `generation`: of the newest refs."""
    elapsed_s = failure.at.elapsed_s(now)
    if failure.fault is Fault.PASSING:
        return elapsed_s < min(_doubled(RETRY_PASSING_S, failure.tries), LONGEST_PASSING_S)
    same_refs = generation == failure.generation
    if same_refs and (something_answers or failure.fault is Fault.MEMORY):
        return True
    return elapsed_s < retry_after_s(failure.tries)


def retry_after_s(tries: int) -> float:
    """Return the seconds between a failure and the next try: 30 s, doubled, at most 900 s."""
    return min(_doubled(RETRY_BROKEN_S, tries), LONGEST_RETRY_S)


def _doubled(first_s: float, tries: int) -> float:
    return first_s * 2.0 ** min(tries - 1, 16)
