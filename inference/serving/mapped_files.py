"""For how long a reader may use what it loaded: the readers' side of deletion. Pure functions.

A session over *mapped* files dies with them: a page fault on a file that was deleted on the server
is a SIGBUS, which nothing catches. So it may run only

- while now + what is left of the invocation + a margin is before its version's `sweep_after`;
- while the last successful check of refs is younger than the grace less the longest invocation
  less a margin: a version that was in service then cannot be swept before the grace has passed.

A check is successful if it read refs *upward* (model_store/reading.py: `read_upward`): `refs.json`
alone may be behind for as long as no writer settles. Elapsed time is the larger of what the two
clocks say (process/clock.py). A session whose weights are anonymous memory has no such bound.

Files are mapped by more than weights: a package set's shared libraries are, to the end of the
process, whatever version they were loaded for. So an environment that imported from a set leans on
it to its end, and each session in it may run only while the set is safe, too (`lease_of_set`).

Background work that was frozen asks again at each step, and only reads files in between: reading a
deleted file is an error that fails the load, not a fault.

What is not here: reading refs, loading, and what is done instead (manager.py): reload, or 503.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.refs import GRACE_S, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from inference.process.clock import Moment


class Limits(NamedTuple):
    """What rule 6 counts on, in seconds."""

    grace_s: float = float(GRACE_S)
    longest_invocation_s: float = 900.0
    """Lambda ends an invocation after 15 minutes."""
    margin_s: float = 300.0
    """For clocks that differ (a sweep refuses one that is a minute off the file system's), for a
    name that an NFS client remembers as missing (up to a minute), and for rounding to seconds."""

    @property
    def oldest_check_s(self) -> float:
        """How old the last successful check of refs may be when an invocation begins to run."""
        return self.grace_s - self.longest_invocation_s - self.margin_s


LIMITS: Final = Limits()


class FileLease(NamedTuple):
    """What refs said of a version when they were last read with success, and when that was."""

    state: State
    sweep_after_s: float | None
    """In seconds since 1970; None: it is not retired."""
    checked_at: Moment


def may_load(standing: FileLease, now: Moment, remaining_s: float, limits: Limits = LIMITS) -> bool:
    """Whether a version may be loaded now; a deleted one never.

    Loading maps its files, so it is bounded as a run is. `remaining_s`: of the invocation.
    """
    return may_run([standing], now, remaining_s, limits)


def may_run(
    leans_on: Iterable[FileLease], now: Moment, remaining_s: float, limits: Limits = LIMITS
) -> bool:
    """Whether an invocation may use a session, for as long as it may last.

    `leans_on`: the standing of its version if it maps the version's files, and of every package
    set that this process imported from. Nothing, for a session in anonymous memory: it may run.
    """
    return all(remaining_s < seconds_left(standing, now, limits) for standing in leans_on)


def seconds_left(standing: FileLease, now: Moment, limits: Limits = LIMITS) -> float:
    """For how many seconds from now on mapped files may be used; 0 or less: not at all.

    The longest invocation, for what is in service: then the age of the check alone decides.
    """
    if standing.state is State.DELETED:
        return -math.inf
    age_s = standing.checked_at.elapsed_s(now)
    if age_s >= limits.oldest_check_s:
        return -math.inf
    left_s = limits.oldest_check_s + limits.longest_invocation_s - age_s
    if standing.sweep_after_s is not None:
        # By the wall clock of the check, moved on by what has elapsed: the larger of both again.
        now_s = max(now.wall_s, standing.checked_at.wall_s + age_s)
        left_s = min(left_s, standing.sweep_after_s - limits.margin_s - now_s)
    return left_s


def lease_of_set(pinned_by: Iterable[FileLease]) -> FileLease | None:
    """The standing of a package set: the best of the versions that pin it; None if none does.

    A set that any version in service pins is as safe as that version. Versions of several models
    may pin one set; those that this process does not know of only make the set safer.
    """
    return max(pinned_by, key=_safety, default=None)


def _safety(standing: FileLease) -> tuple[float, float]:
    if standing.state is State.DELETED:
        return -math.inf, standing.checked_at.wall_s
    after_s = standing.sweep_after_s
    return math.inf if after_s is None else after_s, standing.checked_at.wall_s
