"""What may be deleted, and why the rest is kept. Pure functions of values; tables in the tests.

A version is deleted only when it is retired, its `sweep_after` has passed, the generation that
retired it has been there for GRACE_S by the file system's own clock, and nothing names it: no
label, no running hold, and none of the last two versions that an existing label named. (A share
of the split is a label's, so it needs no rule of its own.)

Why both times: `sweep_after` was reckoned by the machine that retired the version, before its
generation was linked; that machine's clock may be wrong, and it may have slept in between.
Readers that saw the version in service count from when they saw it. docs/store-format.md has the
whole argument.
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
"""How long what nothing names is left alone: somebody may be about to name it."""


class Past(NamedTuple):
    """What is known of a model beside its newest refs."""

    named: Mapping[str, tuple[int, ...]]
    """By label that exists: the last two versions that it named, the newest first."""
    retired_s: Mapping[int, float]
    """By version: when its retirement was linked, or later, by the file system's clock."""


class VersionPlan(NamedTuple):
    """Which versions are to be marked as deleted, and why each other one is kept."""

    delete: tuple[int, ...]
    keep: Mapping[int, str]


def plan_versions(refs: Refs, past: Past, now_s: float) -> VersionPlan:
    """Decide about every version that is not deleted yet."""
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
        return "retired, nobody knows since when"
    after = max(entry.sweep_after, timestamp(linked_s + GRACE_S))
    # Both are rounded down to the second: what is equal may not have passed yet.
    return None if now > after else f"retired, may be swept after {after}"


class FolderPlan(NamedTuple):
    """Which folders of versions and preparations are trash, by their ids."""

    deleted: frozenset[str]
    """Of versions that are marked as deleted: a sweep ended before it had moved them."""
    unnamed: frozenset[str]
    """Named by nothing for over a day."""


def plan_folders(
    refs: Refs | None, ids: Collection[str], now_s: float, replaced: Collection[str] = ()
) -> FolderPlan:
    """Decide about folders by what the newest refs name; None: nothing was ever committed.

    `replaced`: preparations that were named before, of versions that are not deleted. Readers that
    have mapped one go on with it as long as its version is in service, so it stays as long.
    """
    entries = refs.versions.values() if refs else ()
    named = set(replaced)
    deleted = {entry.id for entry in entries if entry.state is State.DELETED}
    for entry in entries:
        if entry.state is not State.DELETED:
            named |= {entry.id, *entry.preparations.values()}
    left = {each for each in ids if each not in named}
    return FolderPlan(
        frozenset(left & deleted),
        frozenset(each for each in left - deleted if is_old(each, now_s)),
    )


def is_old(folder_id: str, now_s: float) -> bool:
    """Whether an id was made more than a day ago; what is no id is left alone."""
    try:
        return now_s - id_time(folder_id) > DAY_S
    except InvalidNameError:
        return False


def is_spent(refs: Refs) -> bool:
    """Whether a model has nothing left to serve: no label, every version deleted."""
    return not refs.labels and all(entry.state is State.DELETED for entry in refs.versions.values())


def may_remove(refs: Refs, linked_s: float, now_s: float) -> bool:
    """Whether a model's folder may go: it has been spent for over a day, by both clocks."""
    return (
        is_spent(refs) and timestamp(now_s - DAY_S) > refs.change.when and now_s - linked_s > DAY_S
    )


class SetFacts(NamedTuple):
    """What lies in the store of one package set."""

    pinned: bool
    """Whether a version that is not deleted pins it."""
    unused_since: str | None
    """What its mark says; None without one."""
    claimed_s: float | None = None
    """When a sweep that did not end claimed it; None if none did."""


class SetPlan(NamedTuple):
    """What is to be done about package sets, by the digits of their digests."""

    delete: tuple[str, ...]
    mark: tuple[str, ...]
    unmark: tuple[str, ...]


def plan_sets(sets: Mapping[str, SetFacts], now_s: float) -> SetPlan:
    """Decide about package sets: marked when no version pins them, deleted a day later."""
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
