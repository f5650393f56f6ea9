"""Effect of each verb on refs, as a table of values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.digests import Digest
from model_store.refs import Change, Hold, Refs, State, VersionEntry
from model_sync.errors import ChangeError
from model_sync.refs import changes

if TYPE_CHECKING:
    from collections.abc import Callable

NOW, LATER, EARLIER = "2026-11-24T06:00:00Z", "2026-11-25T06:00:00Z", "2026-11-23T06:00:00Z"


def entry(state: State = State.AVAILABLE) -> VersionEntry:
    retired = None if state is State.AVAILABLE else EARLIER
    return VersionEntry(
        id="20261123T060000Z-0f3c9a51be77",
        state=state,
        digest=Digest.of_bytes(b""),
        size_bytes=1,
        published_at=EARLIER,
        preparations={"ort-1-x86_64-p1": "20261123T060000Z-0f3c9a51be78"},
        retired_at=retired,
        sweep_after=NOW if retired else None,
    )


def refs_of(
    *,
    labels: dict[str, int] | None = None,
    split: dict[str, int] | None = None,
    holds: dict[str, Hold] | None = None,
    states: str = "aard",
) -> Refs:
    """A model with versions 1, 2, ... in these states: available, retired, deleted."""
    named = {"a": State.AVAILABLE, "r": State.RETIRED, "d": State.DELETED}
    return Refs(
        model="adder",
        model_id="id",
        generation=7,
        writer="20261123T060000Z-0f3c9a51be79",
        next_version=len(states) + 1,
        labels={"latest": 2} if labels is None else labels,
        split=split or {},
        versions={n: entry(named[state]) for n, state in enumerate(states, 1)},
        holds=holds or {},
        change=Change("me@here", EARLIER, "publish", ""),
    )


def test_a_label_moves_and_nothing_else() -> None:
    before = refs_of()
    after = changes.promote(before, 1, "latest")
    assert after == before._replace(labels={"latest": 1})
    assert changes.promote(before, 2, "latest") == before, "nothing to do"
    assert changes.promote(before, 1, "new").labels == {"latest": 2, "new": 1}


def test_a_label_takes_a_retired_version_back_into_service() -> None:
    after = changes.promote(refs_of(), 3, "latest")
    found = after.versions[3]
    assert (found.state, found.retired_at, found.sweep_after) == (State.AVAILABLE, None, None)


def test_rolling_back_is_to_what_the_label_named_before() -> None:
    assert changes.roll_back(refs_of(), "latest", (2, 1)).labels == {"latest": 1}
    assert changes.roll_back(refs_of(), "latest", (), to=1).labels == {"latest": 1}


def test_a_split_is_replaced_as_a_whole() -> None:
    refs = refs_of(labels={"latest": 2, "canary": 1, "b": 1}, split={"b": 10})
    assert changes.split(refs, {"canary": 0}).split == {"canary": 0}
    assert changes.split(refs, {"canary": 60, "b": 40}).split == {"canary": 60, "b": 40}
    assert changes.split(refs, {}).split == {}


def test_a_label_goes_when_no_share_depends_on_it() -> None:
    refs = refs_of(labels={"latest": 2, "canary": 1})
    assert changes.remove_label(refs, "canary").labels == {"latest": 2}
    assert changes.remove_label(refs, "nothing") == refs


def test_retiring_says_when_the_version_may_be_swept() -> None:
    after = changes.retire(refs_of(), 1, now=NOW, sweep_after=LATER)
    found = after.versions[1]
    assert (found.state, found.retired_at, found.sweep_after) == (State.RETIRED, NOW, LATER)
    assert changes.retire(after, 1, now=LATER, sweep_after="2026-11-26T06:00:00Z") == after


def test_a_hold_that_has_run_out_keeps_nothing() -> None:
    refs = refs_of(holds={"nightly": Hold(1, NOW)})
    assert changes.retire(refs, 1, now=NOW, sweep_after=LATER).versions[1].state is State.RETIRED


def test_a_job_holds_one_version_and_lets_go() -> None:
    held = changes.hold(refs_of(), "nightly", 1, until=LATER)
    assert held.holds == {"nightly": Hold(1, LATER)}
    assert changes.hold(held, "nightly", 2, until=LATER).holds == {"nightly": Hold(2, LATER)}
    assert changes.release(held, "nightly").holds == {}
    assert changes.release(held, "another") == held


def test_a_whole_model_goes_out_of_service() -> None:
    refs = refs_of(
        labels={"latest": 2, "canary": 1}, split={"canary": 5}, holds={"job": Hold(1, LATER)}
    )
    after = changes.retire_all(refs, now=NOW, sweep_after=LATER)
    assert (after.labels, after.split, after.holds) == ({}, {}, {})
    assert [str(each.state) for each in after.versions.values()] == [
        "retired",
        "retired",
        "retired",
        "deleted",
    ]
    assert after.versions[3].sweep_after == NOW, "one that was retired before keeps its time"


def test_deleting_marks_and_forgets_what_it_names() -> None:
    refs = refs_of(holds={"old": Hold(1, NOW), "new": Hold(2, LATER)})
    after = changes.delete(refs, {3}, now=NOW)
    assert (after.versions[3].state, after.versions[3].preparations) == (State.DELETED, {})
    assert after.holds == {"new": Hold(2, LATER)}
    assert after.versions[1] == refs.versions[1]


CANARY = refs_of(labels={"latest": 2, "canary": 1}, split={"canary": 5})
HELD = refs_of(holds={"nightly": Hold(1, LATER)})
REFUSALS: dict[str, tuple[Callable[[], Refs], str]] = {
    "no such version": (lambda: changes.promote(refs_of(), 9, "latest"), "has no version 9: there"),
    "deleted": (
        lambda: changes.promote(refs_of(), 4, "latest"),
        "version 4 of 'adder' was deleted",
    ),
    "back to a deleted": (lambda: changes.roll_back(refs_of(), "latest", (2, 4)), "was deleted"),
    "no such label": (lambda: changes.roll_back(refs_of(), "x", (2, 1)), "its label is latest"),
    "nothing before": (
        lambda: changes.roll_back(refs_of(), "latest", (2,)),
        "nothing to roll back",
    ),
    "share of no label": (lambda: changes.split(refs_of(), {"x": 5}), "has no label 'x'"),
    "share of latest": (
        lambda: changes.split(refs_of(), {"latest": 5}),
        "gets the remaining calls",
    ),
    "too large a share": (lambda: changes.split(CANARY, {"canary": 101}), "expected 0 to 100"),
    "too many shares": (
        lambda: changes.split(refs_of(labels={"latest": 2, "a": 1, "b": 1}), {"a": 60, "b": 41}),
        "add up to 101%",
    ),
    "label with a share": (lambda: changes.remove_label(CANARY, "canary"), "has 5% of the calls"),
    "label that gets the rest": (
        lambda: changes.remove_label(CANARY, "latest"),
        "gets the calls that the split leaves: change the split first",
    ),
    "the rest to no label": (
        lambda: changes.split(refs_of(labels={"canary": 1}), {"canary": 5}),
        "95% of the calls would go to 'latest', which 'adder' does not have",
    ),
    "retiring what is named": (
        lambda: changes.retire(refs_of(), 2, now=NOW, sweep_after=LATER),
        "is named by latest: move the label first",
    ),
    "retiring what is held": (
        lambda: changes.retire(HELD, 1, now=NOW, sweep_after=LATER),
        "is held by 'nightly' until 2026-11-25T06:00:00Z",
    ),
    "retiring what is deleted": (
        lambda: changes.retire(refs_of(), 4, now=NOW, sweep_after=LATER),
        "was deleted",
    ),
    "holding what is deleted": (
        lambda: changes.hold(refs_of(), "job", 4, until=LATER),
        "was deleted",
    ),
}


def test_labels_that_take_every_call_need_no_latest() -> None:
    alone = refs_of(labels={"canary": 1})
    assert changes.split(alone, {"canary": 100}).split == {"canary": 100}
    whole = refs_of(labels={"latest": 2, "canary": 1}, split={"canary": 100})
    assert changes.remove_label(whole, "latest").labels == {"canary": 1}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_may_not_be_done_is_refused_in_one_line(case: str) -> None:
    change, reason = REFUSALS[case]
    with pytest.raises(ChangeError) as raised:
        change()
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


RUNTIME = "ort-2-x86_64-p1"
VERSION_ID, OLD, NEW = "20261123T060000Z-0f3c9a51be77", "old", "new"


def add_preparation(
    refs: Refs, number: int, *, instead_of: str | None = None, **fields: str
) -> Refs:
    named = {"version_id": VERSION_ID, "preparation_id": NEW, **fields}
    return changes.add_preparation(refs, number, RUNTIME, instead_of=instead_of, **named)


def test_a_preparation_is_added_beside_those_for_other_runtimes() -> None:
    before = refs_of()
    after = add_preparation(before, 1)
    made = {**before.versions[1].preparations, RUNTIME: NEW}
    assert after == before._replace(
        versions={**before.versions, 1: before.versions[1]._replace(preparations=made)}
    )


def test_a_preparation_replaces_only_the_one_that_its_maker_saw() -> None:
    before = add_preparation(refs_of(), 1, preparation_id=OLD)
    assert add_preparation(before, 1) == before, "another writer was first"
    assert add_preparation(before, 1, instead_of="another") == before
    assert add_preparation(before, 1, instead_of=OLD).versions[1].preparations[RUNTIME] == NEW


@pytest.mark.parametrize(
    ("number", "version_id", "message"),
    [
        (3, VERSION_ID, "is retired: promote it back into service"),
        (4, VERSION_ID, "was deleted: publish its contents again"),
        (5, VERSION_ID, "has no version 5"),
        (1, "20261123T060000Z-0f3c9a51be00", "was deleted and published again while"),
    ],
)
def test_a_preparation_is_named_only_for_the_version_in_service_that_it_was_made_of(
    number: int, version_id: str, message: str
) -> None:
    with pytest.raises(ChangeError, match=message):
        add_preparation(refs_of(), number, version_id=version_id)
