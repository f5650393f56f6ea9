"""The changes of refs that administrative operations make. Pure functions; the tests have tables.

Each function takes the newest refs and returns the contents of the next generation; transaction.py
sets the generation's number, writer and change. Equal refs mean that nothing is to be done. A
ChangeError states why a change is refused.

- A label names a version that may be served. Moving a label to a retired version puts the version
  back into service; a deleted version stays deleted.
- A version that a label or an active hold names cannot be retired.
- Only a version in service can be prepared.
- A retired version has a time after which it may be swept; readers stop using it before that
  (sweep/plan.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_store.refs import LATEST, Hold, Refs, State, VersionEntry
from model_sync.errors import ChangeError
from model_sync.text import list_labels, list_versions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


def promote(refs: Refs, number: int, label: str) -> Refs:
    """Move a label to a version."""
    entry = _existing(refs, number)
    return refs._replace(
        labels={**refs.labels, label: number},
        versions={**refs.versions, number: _in_service(entry)},
    )


def roll_back(refs: Refs, label: str, history: Sequence[int], to: int | None = None) -> Refs:
    """Move a label back to the version that it named before, or to `to`.

    `history`: the versions that the label has named, the newest first, one for each move.
    """
    if label not in refs.labels:
        raise ChangeError(f"{refs.model!r} has no label {label!r}: {list_labels(refs.labels)}")
    if to is None:
        if len(history) < 2:
            raise ChangeError(
                f"{label!r} of {refs.model!r} has only named version {refs.labels[label]}: "
                "there is nothing to roll back to"
            )
        to = history[1]
    return promote(refs, to, label)


def remove_label(refs: Refs, label: str) -> Refs:
    """Remove a label; return equal refs if there is no such label."""
    if label in refs.split:
        raise ChangeError(
            f"{label!r} of {refs.model!r} has {refs.split[label]}% of the calls: "
            "change the split first"
        )
    if label == LATEST and sum(refs.split.values()) not in {0, 100}:
        raise ChangeError(
            f"{LATEST!r} of {refs.model!r} gets the calls that the split leaves: "
            "change the split first"
        )
    return refs._replace(labels={k: v for k, v in refs.labels.items() if k != label})


def split(refs: Refs, shares: Mapping[str, int]) -> Refs:
    """Set the percentages of labels among the calls that name no version; {} removes the split.

    The remaining calls go to `latest`, which therefore has no share of its own.
    """
    for label, percent in shares.items():
        if label not in refs.labels:
            raise ChangeError(f"{refs.model!r} has no label {label!r}: {list_labels(refs.labels)}")
        if label == LATEST:
            raise ChangeError(f"{LATEST!r} gets the remaining calls: give shares to other labels")
        if not 0 <= percent <= 100:
            raise ChangeError(f"{label}={percent} is no share: expected 0 to 100 percent")
    total = sum(shares.values())
    if total > 100:
        raise ChangeError(f"the shares add up to {total}%: expected at most 100%")
    if shares and total < 100 and LATEST not in refs.labels:
        raise ChangeError(
            f"{100 - total}% of the calls would go to {LATEST!r}, which {refs.model!r} does not "
            "have: promote a version to it first"
        )
    return refs._replace(split=dict(shares))


def retire(refs: Refs, number: int, *, now: str, sweep_after: str) -> Refs:
    """Take a version out of service; it may be swept after `sweep_after`."""
    entry = _existing(refs, number)
    if entry.state is State.RETIRED:
        return refs
    named = sorted(label for label, named in refs.labels.items() if named == number)
    if named:
        raise ChangeError(
            f"version {number} of {refs.model!r} is named by {', '.join(named)}: "
            "move the label first (promote, rollback or unlabel)"
        )
    job = next((job for job, hold in refs.holds.items() if _is_held(hold, number, now)), None)
    if job:
        raise ChangeError(
            f"version {number} of {refs.model!r} is held by {job!r} until "
            f"{refs.holds[job].until}: wait, or release it"
        )
    return refs._replace(versions={**refs.versions, number: _retired(entry, now, sweep_after)})


def retire_all(refs: Refs, *, now: str, sweep_after: str) -> Refs:
    """Take a whole model out of service: no label, no split, every version retired."""
    return refs._replace(
        labels={},
        split={},
        holds={},
        versions={
            number: _retired(entry, now, sweep_after) if entry.state is State.AVAILABLE else entry
            for number, entry in refs.versions.items()
        },
    )


def hold(refs: Refs, job: str, number: int, *, until: str) -> Refs:
    """Protect a version from the sweep until a time, for a job; a second call moves the time."""
    _existing(refs, number)
    return refs._replace(holds={**refs.holds, job: Hold(number, until)})


def release(refs: Refs, job: str) -> Refs:
    """Remove a job's hold; return equal refs if there is none."""
    return refs._replace(holds={k: v for k, v in refs.holds.items() if k != job})


def add_preparation(
    refs: Refs,
    number: int,
    runtime: str,
    *,
    version_id: str,
    preparation_id: str,
    instead_of: str | None = None,
) -> Refs:
    """Name a version's new preparation for a runtime, in place of the preparation `instead_of`.

    Return equal refs if refs name another preparation by now: another writer was first.
    """
    entry = entry_to_prepare(refs, number)
    if entry.id != version_id:
        raise ChangeError(
            f"{refs.model!r} was deleted and published again while its version {number} was being "
            "prepared: prepare it again"
        )
    if entry.preparations.get(runtime) != instead_of:
        return refs
    entry = entry._replace(preparations={**entry.preparations, runtime: preparation_id})
    return refs._replace(versions={**refs.versions, number: entry})


def entry_to_prepare(refs: Refs, number: int) -> VersionEntry:
    """Return the entry of a version in service; raise ChangeError if it is retired or missing."""
    entry = _existing(refs, number)
    if entry.state is State.RETIRED:
        raise ChangeError(
            f"version {number} of {refs.model!r} is retired: promote it back into service, "
            "then prepare it"
        )
    return entry


def delete(refs: Refs, numbers: Collection[int], *, now: str) -> Refs:
    """Mark versions as deleted and drop expired holds. sweep/plan.py decides which versions."""
    return refs._replace(
        holds={job: hold for job, hold in refs.holds.items() if hold.until > now},
        versions={
            number: entry._replace(state=State.DELETED, preparations={})
            if number in numbers
            else entry
            for number, entry in refs.versions.items()
        },
    )


def _existing(refs: Refs, number: int) -> VersionEntry:
    entry = refs.versions.get(number)
    if entry is None:
        known = list_versions(refs.versions)
        raise ChangeError(f"{refs.model!r} has no version {number}: {known}")
    if entry.state is State.DELETED:
        raise ChangeError(
            f"version {number} of {refs.model!r} was deleted: publish its contents again"
        )
    return entry


def _in_service(entry: VersionEntry) -> VersionEntry:
    return entry._replace(state=State.AVAILABLE, retired_at=None, sweep_after=None)


def _retired(entry: VersionEntry, now: str, sweep_after: str) -> VersionEntry:
    return entry._replace(state=State.RETIRED, retired_at=now, sweep_after=sweep_after)


def _is_held(hold: Hold, number: int, now: str) -> bool:
    return hold.version == number and hold.until > now
