"""Decisions of a sweep: what to delete, and why to keep the rest. Pure functions of values.

A version is deleted only if all of these hold:

- It is retired, and its `sweep_after` has passed.
- The generation that retired it is older than GRACE_S, by the file system's clock.
- No label and no running hold names it, and it is not one of the last two versions that an existing
  label named. (Shares of the split belong to labels.)

Both times are needed: `sweep_after` was computed by the machine that retired the version, before
the generation was linked. That machine's clock may be wrong, or it may have slept in between.
Readers count from when they saw the version in service. docs/store-format.md has the full argument.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.documents import timestamp
from model_store.errors import InvalidNameError
from model_store.names import id_time
from model_store.refs import GRACE_S, Refs, State

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

DAY_S: Final = 86_400.0
"""Age at which an unnamed object may be deleted: a writer may be about to name a younger one."""


class Past(NamedTuple):
    """Facts on a model from before its newest refs."""

    named: Mapping[str, tuple[int, ...]]
    """Last two versions that each existing label named, the newest first."""
    retired_s: Mapping[int, float]
    """Time at which each version's retirement was linked, or later, by the file system's clock."""


class VersionPlan(NamedTuple):
    """Versions to mark as deleted, and the reason to keep each other one."""

    delete: tuple[int, ...]
    keep: Mapping[int, str]


def plan_versions(refs: Refs, past: Past, now_s: float) -> VersionPlan:
    """Decide about every version that is not yet deleted."""
    reasons = {
        number: _reason_to_keep(refs, past, number, now_s)
        for number, entry in sorted(refs.versions.items())
        if entry.state is not State.DELETED
    }
    return VersionPlan(
        tuple(number for number, reason in reasons.items() if reason is None),
        {number: reason for number, reason in reasons.items() if reason is not None},
    )


def _reason_to_keep(refs: Refs, past: Past, number: int, now_s: float) -> str | None:
    entry = refs.versions[number]
    for label, named in sorted(refs.labels.items()):
        if named == number:
            return f"label {label} names it"
    if entry.state is State.AVAILABLE:
        return "available"
    for label, last in sorted(past.named.items()):
        if number in last[:2]:
            return f"label {label} named it before"
    now = timestamp(now_s)
    for job, hold in sorted(refs.holds.items()):
        if hold.version == number and hold.until > now:
            return f"held by {job} until {hold.until}"
    linked_s = past.retired_s.get(number)
    if entry.sweep_after is None or linked_s is None:
        return "retired, at an unknown time"
    after = max(entry.sweep_after, timestamp(linked_s + GRACE_S))
    # Both are rounded down to the second: an equal time may not have passed yet.
    return None if now > after else f"retired, may be swept after {after}"


class FolderPlan(NamedTuple):
    """Ids of the folders of versions and preparations that are trash."""

    deleted: frozenset[str]
    """Folders of versions that are marked as deleted, left by an interrupted sweep."""
    unnamed: frozenset[str]
    """Folders that nothing names, more than a day old."""


def plan_folders(
    refs: Refs | None, ids: Collection[str], now_s: float, replaced: Collection[str] = ()
) -> FolderPlan:
    """Decide about folders by the newest refs; None: no generation was ever committed.

    `replaced`: preparations that were named before, of versions that are not deleted. A reader that
    has mapped one uses it as long as its version is in service, so it is kept that long.
    """
    entries = refs.versions.values() if refs else ()
    named = set(replaced)
    deleted = {entry.id for entry in entries if entry.state is State.DELETED}
    for entry in entries:
        if entry.state is not State.DELETED:
            named |= {entry.id, *entry.preparations.values()}
    unnamed = {each for each in ids if each not in named}
    return FolderPlan(
        frozenset(unnamed & deleted),
        frozenset(each for each in unnamed - deleted if is_old(each, now_s)),
    )


def is_old(folder_id: str, now_s: float) -> bool:
    """Return True if an id was made more than a day ago; False for a text that is no id."""
    try:
        return now_s - id_time(folder_id) > DAY_S
    except InvalidNameError:
        return False


def is_spent(refs: Refs) -> bool:
    """Return True if a model has nothing to serve: no label, and every version deleted."""
    return not refs.labels and all(entry.state is State.DELETED for entry in refs.versions.values())


def may_remove(refs: Refs, linked_s: float, now_s: float) -> bool:
    """Return True if a model has been spent for over a day, by both clocks."""
    return (
        is_spent(refs) and timestamp(now_s - DAY_S) > refs.change.when and now_s - linked_s > DAY_S
    )


class SetFacts(NamedTuple):
    """Facts in the store on one package set."""

    pinned: bool
    """True if a version that is not deleted pins the set."""
    unused_since: str | None
    """Time in the set's mark; None without a mark."""
    claimed_s: float | None = None
    """Time at which a sweep claimed the set and did not finish; None without a claim."""


class SetPlan(NamedTuple):
    """Changes to package sets, by the digits of their digests."""

    delete: tuple[str, ...]
    mark: tuple[str, ...]
    unmark: tuple[str, ...]


def plan_sets(sets: Mapping[str, SetFacts], now_s: float) -> SetPlan:
    """Decide about package sets: mark those that no version pins, delete them a day later."""
    a_day_ago = timestamp(now_s - DAY_S)
    delete, mark, unmark = [], [], []
    for digits, facts in sorted(sets.items()):
        if facts.pinned:
            if facts.unused_since is not None or facts.claimed_s is not None:
                unmark.append(digits)
        elif facts.claimed_s is not None:
            if now_s - facts.claimed_s > DAY_S:
                delete.append(digits)
        elif facts.unused_since is None:
            mark.append(digits)
        elif facts.unused_since < a_day_ago:
            delete.append(digits)
    return SetPlan(tuple(delete), tuple(mark), tuple(unmark))
