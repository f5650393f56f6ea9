"""When a version that failed to load is tried again. Pure functions of values.

What failed is remembered by the digest of its contents: the same contents under another number
fail as well. While another version answers, a broken one is left alone until refs change: whoever
watches will publish or roll back. Where nothing else answers it is tried again on its own, in case
that it was the environment's fault. What failed for another reason than its contents is tried again
soon. Each failure doubles the time until the next try.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from inference.process.clock import Moment

RETRY_BROKEN_S: Final = 30.0
"""How long contents that failed are left alone at the least, after their first failure."""

LONGEST_RETRY_S: Final = 900.0

RETRY_PASSING_S: Final = 2.0
"""How long a version is left alone at the least if it was not its contents that failed."""

LONGEST_PASSING_S: Final = 60.0


class Fault(Enum):
    """Whose fault a failed load was."""

    CONTENTS = "contents"
    PASSING = "passing"
    """The store's, or of the moment."""
    MEMORY = "memory"
    """It needs more memory than this environment has: 507."""


class Failure(NamedTuple):
    """A version's last failed load. `tries`: how many failed, one after the other."""

    version: int
    fault: Fault
    reason: str
    at: Moment
    generation: int
    tries: int = 1


def is_quarantined(
    failure: Failure, generation: int, now: Moment, *, something_answers: bool
) -> bool:
    """Whether contents are left alone now. `generation`: of the refs as they are seen now."""
    elapsed_s = failure.at.elapsed_s(now)
    if failure.fault is Fault.PASSING:
        return elapsed_s < min(_doubled(RETRY_PASSING_S, failure.tries), LONGEST_PASSING_S)
    same_refs = generation == failure.generation
    if same_refs and (something_answers or failure.fault is Fault.MEMORY):
        return True
    return elapsed_s < retry_after_s(failure.tries)


def retry_after_s(tries: int) -> float:
    """How long contents are left alone after so many failures: 30 s, doubled, at most 900 s."""
    return min(_doubled(RETRY_BROKEN_S, tries), LONGEST_RETRY_S)


def _doubled(first_s: float, tries: int) -> float:
    return first_s * 2.0 ** min(tries - 1, 16)
