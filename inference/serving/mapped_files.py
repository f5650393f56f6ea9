"""Rule 6: how long a reader may use files that it has mapped.

A session over *mapped* files dies with the files: a page fault on a file that was deleted on the
server raises SIGBUS, which no handler catches. So the session may run only

- while now + the rest of the invocation + a margin is before its version's `sweep_after`;
- while the last successful check of refs is younger than the grace period less the longest
  invocation less a margin: a version that was in service at that check cannot be swept before the
  grace period has passed.

A check is successful if it read refs *upward* (model_store/reading.py: `read_upward`): `refs.json`
alone may be stale until the next writer settles. Elapsed time is the larger of what the two clocks
show (process/clock.py). A session whose weights are in anonymous memory has no such bound.

Package sets map files, too: their shared libraries stay mapped until the process ends, whichever
version needed them. So each session in an environment that imported from a package set may run
only while that set has a lease, too (`lease_of_set`).

A background load that was frozen checks its lease again before each step, and in between only
reads files: reading a deleted file is an error that fails the load, not a fault.

What is not here: reading refs (refs_watch.py), loading, and what is done without a lease
(version_selector.py): load again, or 503.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.process.clock import Moment
from model_store.documents import seconds_of
from model_store.refs import GRACE_S, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from inference.serving.view import ModelView
    from inference.serving.warm_models import WarmModel

    Pinned = tuple[str, tuple[str, str], int]
    """A version that pins a package set: its model's name, that model's identity, its number."""


class Limits(NamedTuple):
    """The durations that rule 6 is computed from, in seconds."""

    grace_s: float = float(GRACE_S)
    longest_invocation_s: float = 900.0
    """Lambda ends an invocation after 15 minutes."""
    margin_s: float = 300.0
    """For clocks that differ (a sweep refuses one that is a minute off the file system's), for a
    name that an NFS client remembers as missing (up to a minute), and for rounding to seconds."""

    @property
    def oldest_check_s(self) -> float:
        """The largest age of the last successful check at which an invocation may begin."""
        return self.grace_s - self.longest_invocation_s - self.margin_s


LIMITS: Final = Limits()


class FileLease(NamedTuple):
    """A version's state by the last successful check of refs, and the time of that check.

    `sweep_after_s`: in seconds since 1970; None for a version that is not retired.
    """

    state: State
    sweep_after_s: float | None
    checked_at: Moment


def may_load(lease: FileLease, now: Moment, remaining_s: float, limits: Limits = LIMITS) -> bool:
    """Return True if a version may be loaded now; a deleted one never may.

    Loading maps the version's files, so it has the bounds of a run. `remaining_s`: seconds left of
    the invocation.
    """
    return may_run([lease], now, remaining_s, limits)


def may_run(
    leases: Iterable[FileLease], now: Moment, remaining_s: float, limits: Limits = LIMITS
) -> bool:
    """Return True if an invocation with `remaining_s` seconds left may use a session.

    `leases`: that of the version if the session maps its files, and that of every package set
    that this process imported from. A session that maps no files has none: it may run.
    """
    return all(remaining_s < seconds_left(lease, now, limits) for lease in leases)


def seconds_left(lease: FileLease, now: Moment, limits: Limits = LIMITS) -> float:
    """Return for how many seconds from `now` mapped files may be used; 0 or less: not at all.

    At most the longest invocation for a version in service: only the check's age bounds it.
    """
    if lease.state is State.DELETED:
        return -math.inf
    age_s = lease.checked_at.elapsed_s(now)
    if age_s >= limits.oldest_check_s:
        return -math.inf
    left_s = limits.oldest_check_s + limits.longest_invocation_s - age_s
    if lease.sweep_after_s is not None:
        # The wall clock at the check plus the elapsed time, if that is later than the wall clock.
        now_s = max(now.wall_s, lease.checked_at.wall_s + age_s)
        left_s = min(left_s, lease.sweep_after_s - limits.margin_s - now_s)
    return left_s


def lease_of(view: ModelView, number: int) -> FileLease:
    """Return a version's lease by the last upward read of its model's refs."""
    entry = view.refs.versions.get(number)
    if entry is None:
        return FileLease(State.DELETED, None, view.upward_at)
    after_s = seconds_of(entry.sweep_after) if entry.sweep_after else None
    return FileLease(entry.state, after_s, view.upward_at)


def lease_of_set(pinned_by: Iterable[FileLease]) -> FileLease | None:
    """Return a package set's lease: the longest of the versions that pin it; None without one.

    A set is as safe as any version in service that pins it. Versions of several models may pin one
    set; pinning versions that this process does not know only make the set safer.
    """
    return max(pinned_by, key=_safety, default=None)


def lease_of_pinned(
    pinned_by: Iterable[Pinned], view_of: Callable[[str], ModelView | None]
) -> FileLease:
    """Return a package set's lease from the versions known to pin it.

    `view_of` returns a model as it was last seen. Where no known version pins the set any more,
    the lease is that of a deleted version.
    """
    views = ((view_of(name), identity, number) for name, identity, number in pinned_by)
    lease = lease_of_set(
        lease_of(view, number)
        for view, identity, number in views
        if view is not None and view.identity == identity
    )
    return lease or FileLease(State.DELETED, None, Moment.now())


def find_forbidden(
    model: WarmModel,
    view: ModelView,
    numbers: Iterable[int | None],
    remaining_s: float,
    set_leases: list[FileLease],
) -> Iterator[int]:
    """Yield those of `numbers` that must not run, or be loaded, for `remaining_s` from now.

    `set_leases`: the leases of the package sets that this process imported from. A version in
    anonymous memory depends on these alone.
    """
    now = Moment.now()
    for number in dict.fromkeys(numbers):
        if number is None:
            continue
        warm = model.warm.get(number)
        is_anonymous = warm is not None and not warm.loaded.maps_files
        leases = set_leases if is_anonymous else [lease_of(view, number), *set_leases]
        if not may_run(leases, now, remaining_s):
            yield number


def _safety(lease: FileLease) -> tuple[float, float]:
    if lease.state is State.DELETED:
        return -math.inf, lease.checked_at.wall_s
    after_s = lease.sweep_after_s
    return math.inf if after_s is None else after_s, lease.checked_at.wall_s
