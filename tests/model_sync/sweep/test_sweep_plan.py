"""Deletable versions and folders, as tables; one row a rule."""

from __future__ import annotations

import calendar
import time
from typing import Any, Final

import pytest

from model_store.digests import Digest
from model_store.documents import timestamp
from model_store.names import new_id
from model_store.refs import GRACE_S, Change, Hold, Refs, State, VersionEntry
from model_sync.sweep.plan import (
    DAY_S,
    FolderPlan,
    Past,
    SetFacts,
    SetPlan,
    is_old,
    is_spent,
    may_remove,
    plan_folders,
    plan_sets,
    plan_versions,
)

NOW: Final = 1_800_000_000.0
WHEN: Final = timestamp(NOW)
LATER, EARLIER = timestamp(NOW + 100), timestamp(NOW - 100)
LONG_AGO: Final = NOW - GRACE_S - 100


def _id(age_s: float, last: int = 1) -> str:
    made = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(NOW - age_s))
    return f"{made}-{last:012x}"


def _entry(state: State, sweep_after: str | None = None, **fields: Any) -> VersionEntry:
    version_id = fields.pop("id", new_id())
    digest = Digest.of_bytes(version_id.encode())
    return VersionEntry(version_id, state, digest, 1, WHEN, {}, sweep_after=sweep_after)._replace(
        **fields
    )


def _refs(*entries: VersionEntry, **fields: Any) -> Refs:
    versions = dict(enumerate(entries, 1))
    change = Change("test", WHEN, "publish", "")
    refs = Refs("adder", "id", 1, "w", len(versions) + 1, {}, {}, versions, {}, change)
    return refs._replace(**fields)


DUE: Final = _entry(State.RETIRED, EARLIER)


@pytest.mark.parametrize(
    ("entry", "fields", "named", "linked_s", "reason"),
    [
        (DUE, {}, {}, LONG_AGO, None),
        (_entry(State.AVAILABLE), {}, {}, LONG_AGO, "available"),
        (_entry(State.AVAILABLE), {"labels": {"x": 1}}, {}, LONG_AGO, "label x names it"),
        (DUE, {"labels": {"x": 1}}, {}, LONG_AGO, "label x names it"),
        (
            DUE, {"labels": {"x": 1}, "split": {"x": 10}}, {"x": (1,)}, LONG_AGO,
            "label x names it",
        ),
        (DUE, {}, {"x": (2, 1)}, LONG_AGO, "label x named it before"),
        (DUE, {}, {"x": (3, 2, 1)}, LONG_AGO, None),
        (DUE, {"holds": {"job": Hold(1, LATER)}}, {}, LONG_AGO, f"held by job until {LATER}"),
        (DUE, {"holds": {"job": Hold(1, WHEN)}}, {}, LONG_AGO, None),
        (DUE, {"holds": {"job": Hold(2, LATER)}}, {}, LONG_AGO, None),
        (_entry(State.RETIRED, LATER), {}, {}, LONG_AGO, f"retired, may be swept after {LATER}"),
        (_entry(State.RETIRED, WHEN), {}, {}, LONG_AGO, f"retired, may be swept after {WHEN}"),
        (DUE, {}, {}, NOW - 10, f"retired, may be swept after {timestamp(NOW - 10 + GRACE_S)}"),
        (DUE, {}, {}, None, "retired, at an unknown time"),
        (_entry(State.RETIRED), {}, {}, LONG_AGO, "retired, at an unknown time"),
    ],
)  # fmt: skip
def test_a_version_is_kept_for_a_reason_or_deleted(
    entry: VersionEntry,
    fields: dict[str, Any],
    named: dict[str, tuple[int, ...]],
    linked_s: float | None,
    reason: str | None,
) -> None:
    refs = _refs(entry, _entry(State.AVAILABLE), **fields)
    retired_s = {} if linked_s is None else {1: linked_s}
    plan = plan_versions(refs, Past(named, retired_s), NOW)
    assert plan.keep.get(1) == reason
    assert plan.delete == ((1,) if reason is None else ())
    assert plan.keep[2] == "available"


def test_what_is_deleted_already_is_neither_deleted_nor_kept() -> None:
    plan = plan_versions(_refs(_entry(State.DELETED, EARLIER)), Past({}, {1: LONG_AGO}), NOW)
    assert plan == ((), {})


def test_folders_go_at_once_if_marked_and_after_a_day_if_unnamed() -> None:
    kept = _entry(
        State.RETIRED, LATER, id=_id(9 * DAY_S), preparations={"ort-1": _id(3 * DAY_S, 7)}
    )
    deleted = _entry(State.DELETED, id=_id(60, 2))
    young, old, no_id = _id(DAY_S - 1, 3), _id(DAY_S + 1, 4), "notes"
    ids = [kept.id, _id(3 * DAY_S, 7), deleted.id, young, old, no_id]
    expected = FolderPlan(frozenset({deleted.id}), frozenset({old}))
    assert plan_folders(_refs(kept, deleted), ids, NOW) == expected
    assert plan_folders(None, ids, NOW).unnamed == {kept.id, old, _id(3 * DAY_S, 7)}
    assert plan_folders(_refs(kept, deleted), ids, NOW, {old}).unnamed == frozenset()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (_id(DAY_S), False),
        (_id(DAY_S + 1), True),
        (_id(-DAY_S), False),
        ("notes", False),
        ("99999999T999999Z-0123456789ab", False),
    ],
)
def test_an_id_is_old_after_a_day(name: str, *, expected: bool) -> None:
    assert is_old(name, NOW) is expected


@pytest.mark.parametrize(
    ("refs", "spent"),
    [
        (_refs(), True),
        (_refs(_entry(State.DELETED)), True),
        (_refs(_entry(State.DELETED), labels={"x": 1}), False),
        (_refs(_entry(State.DELETED), _entry(State.RETIRED, LATER)), False),
        (_refs(_entry(State.AVAILABLE)), False),
    ],
)
def test_a_model_is_removed_when_nothing_is_left_for_a_day(refs: Refs, *, spent: bool) -> None:
    assert is_spent(refs) is spent
    change = refs.change._replace(when=timestamp(NOW - DAY_S - 1))
    old = refs._replace(change=change)
    assert may_remove(old, NOW - DAY_S - 1, NOW) is spent
    assert not may_remove(refs, NOW - DAY_S - 1, NOW), "by the writer's clock"
    assert not may_remove(old, NOW - DAY_S, NOW), "by the file system's clock"


_YESTERDAY: Final = timestamp(NOW - DAY_S - 1)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (SetFacts(pinned=False, unused_since=None), "mark"),
        (SetFacts(pinned=False, unused_since=WHEN), None),
        (SetFacts(pinned=False, unused_since=timestamp(NOW - DAY_S)), None),
        (SetFacts(pinned=False, unused_since=_YESTERDAY), "delete"),
        (SetFacts(pinned=True, unused_since=None), None),
        (SetFacts(pinned=True, unused_since=_YESTERDAY), "unmark"),
        (SetFacts(pinned=False, unused_since=None, claimed_s=NOW - DAY_S), None),
        (SetFacts(pinned=False, unused_since=None, claimed_s=NOW - DAY_S - 1), "delete"),
        (SetFacts(pinned=True, unused_since=None, claimed_s=NOW - DAY_S - 1), "unmark"),
    ],
)
def test_a_package_set_is_marked_and_deleted_a_day_later(
    facts: SetFacts, expected: str | None
) -> None:
    plan = SetPlan((), (), ())
    if expected:
        plan = plan._replace(**{expected: ("ab",)})
    assert plan_sets({"ab": facts}, NOW) == plan


def test_the_time_in_these_tables_is_what_it_says() -> None:
    assert calendar.timegm(time.strptime(WHEN, "%Y-%m-%dT%H:%M:%SZ")) == NOW
