"""Changes of a publication to refs, as a table."""

from __future__ import annotations

import pytest

from model_store.digests import Digest
from model_store.refs import LATEST, Change, Refs, State, VersionEntry
from model_sync.refs.publish_changes import (
    PublishPlan,
    find_available,
    first_refs,
    plan_publish,
    with_existing,
    with_version,
)

HERE, ELSEWHERE = "ort-1-here-p1", "ort-2-elsewhere-p1"
A, B, NEW = (Digest.of_bytes(name) for name in (b"a", b"b", b"new"))
CHANGE = Change("somebody", "2026-11-23T21:09:35Z", "publish", "")
LATER = Change("another", "2026-11-24T21:09:35Z", "publish", "why")


def _entry(digest: Digest, state: State = State.AVAILABLE, *runtimes: str) -> VersionEntry:
    return VersionEntry(
        id="20261123T210935Z-0f3c9a51be77",
        state=state,
        digest=digest,
        size_bytes=1,
        published_at="2026-11-23T21:09:35Z",
        preparations=dict.fromkeys(runtimes, "20261123T210935Z-aaaaaaaaaaaa"),
    )


def _refs(
    versions: dict[int, VersionEntry], labels: dict[str, int], split: dict[str, int] | None = None
) -> Refs:
    return Refs(
        model="adder",
        model_id="id",
        generation=5,
        writer="one",
        next_version=max(versions, default=0) + 3,
        labels=labels,
        split=split or {},
        versions=versions,
        holds={},
        change=CHANGE,
    )


A_HERE, B_HERE = _entry(A, State.AVAILABLE, HERE), _entry(B, State.AVAILABLE, HERE)
A_RETIRED, A_DELETED = _entry(A, State.RETIRED, HERE), _entry(A, State.DELETED, HERE)
A_ELSEWHERE = _entry(A, State.AVAILABLE, ELSEWHERE)

NEW_VERSION = PublishPlan(existing=None, prepare=True, move_label=True)
NOTHING_1 = PublishPlan(existing=1, prepare=False, move_label=False)
MOVE_TO_1 = PublishPlan(existing=1, prepare=False, move_label=True)


@pytest.mark.parametrize(
    ("refs", "digest", "label", "plan"),
    [
        (None, A, LATEST, NEW_VERSION),
        (_refs({}, {}), A, LATEST, NEW_VERSION),
        (_refs({1: A_HERE}, {LATEST: 1}), NEW, LATEST, NEW_VERSION),
        (_refs({1: A_HERE}, {LATEST: 1}), A, LATEST, NOTHING_1),
        (_refs({1: A_HERE, 2: B_HERE}, {LATEST: 2}), A, LATEST, MOVE_TO_1),
        (_refs({1: A_HERE, 2: B_HERE}, {LATEST: 1}), A, LATEST, NOTHING_1),
        (_refs({1: A_HERE}, {}), A, LATEST, MOVE_TO_1),
        (_refs({1: A_HERE}, {LATEST: 1}), A, "stable", MOVE_TO_1),
        (_refs({1: A_HERE, 2: B_HERE}, {LATEST: 2, "stable": 1}), A, "stable", NOTHING_1),
        (
            _refs({1: A_ELSEWHERE}, {LATEST: 1}),
            A,
            LATEST,
            PublishPlan(existing=1, prepare=True, move_label=False),
        ),
        (
            _refs({1: A_ELSEWHERE, 2: B_HERE}, {LATEST: 2}),
            A,
            LATEST,
            PublishPlan(existing=1, prepare=True, move_label=True),
        ),
        (_refs({1: A_RETIRED}, {LATEST: 1}), A, LATEST, NEW_VERSION),
        (_refs({1: A_DELETED}, {}), A, LATEST, NEW_VERSION),
        (_refs({1: A_HERE, 2: A_RETIRED}, {LATEST: 1}), A, LATEST, NOTHING_1),
        (_refs({1: A_HERE, 2: B_HERE, 3: A_HERE}, {LATEST: 1}), A, LATEST,
         PublishPlan(existing=3, prepare=False, move_label=True)),
    ],
    ids=[
        "no model yet", "no version yet", "other contents", "the same again", "an older one again",
        "an older one that is latest", "a label that is missing", "another label",
        "another label that is there", "another runtime", "another runtime and an older one",
        "retired", "deleted", "retired and available", "twice available",
    ],
)  # fmt: skip
def test_what_publishing_has_to_do(
    refs: Refs | None, digest: Digest, label: str, plan: PublishPlan
) -> None:
    assert plan_publish(refs, digest=digest, runtime=HERE, label=label) == plan
    assert plan.is_noop is (plan == NOTHING_1)


@pytest.mark.parametrize(
    ("versions", "number"),
    [
        ({}, None),
        ({1: A_HERE}, 1),
        ({1: A_HERE, 2: A_HERE, 3: B_HERE}, 2),
        ({9: A_HERE, 10: A_HERE}, 10),
        ({1: A_HERE, 2: A_DELETED}, 1),
        ({1: A_RETIRED}, None),
    ],
)
def test_the_newest_available_version_of_the_same_contents_is_found(
    versions: dict[int, VersionEntry], number: int | None
) -> None:
    assert find_available(_refs(versions, {}), A) == number
    assert find_available(None, A) is None


def test_a_new_version_takes_the_next_number_and_the_label() -> None:
    before = _refs({1: A_HERE, 2: B_HERE}, {LATEST: 2, "stable": 1}, {"stable": 10})
    after = with_version(before, _entry(NEW), label=LATEST, writer="two", change=LATER)
    assert after == before._replace(
        generation=6,
        writer="two",
        change=LATER,
        next_version=6,
        labels={LATEST: 5, "stable": 1},
        versions={1: A_HERE, 2: B_HERE, 5: _entry(NEW)},
    )


def test_the_first_version_is_number_one_of_generation_one() -> None:
    before = first_refs("adder", "id", writer="one", change=CHANGE)
    after = with_version(before, A_HERE, label=LATEST, writer="two", change=LATER)
    assert (after.generation, after.next_version) == (1, 2)
    assert after.versions == {1: A_HERE}
    assert after.labels == {LATEST: 1}
    assert (after.model, after.model_id) == ("adder", "id")
    assert Refs.parse(after.render(), "refs.json") == after


def test_the_label_moves_to_a_version_that_is_there() -> None:
    before = _refs({1: A_HERE, 2: B_HERE}, {LATEST: 2, "stable": 2})
    after = with_existing(before, 1, preparations={}, label=LATEST, writer="two", change=LATER)
    assert after == before._replace(
        generation=6, writer="two", change=LATER, labels={LATEST: 1, "stable": 2}
    )


def test_a_preparation_is_added_to_those_that_are_there() -> None:
    before = _refs({1: A_ELSEWHERE, 2: B_HERE}, {LATEST: 1})
    made = {HERE: "20270101T000000Z-bbbbbbbbbbbb"}
    after = with_existing(before, 1, preparations=made, label=LATEST, writer="two", change=LATER)
    both = {**A_ELSEWHERE.preparations, **made}
    assert after.versions == {1: A_ELSEWHERE._replace(preparations=both), 2: B_HERE}


def test_what_was_there_before_is_not_changed() -> None:
    before = _refs({1: A_HERE}, {LATEST: 1})
    rendered = before.render()
    with_version(before, _entry(NEW), label="stable", writer="two", change=LATER)
    with_existing(before, 1, preparations={"x": "y"}, label="b", writer="two", change=LATER)
    assert before.render() == rendered
