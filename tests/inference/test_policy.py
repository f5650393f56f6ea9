from __future__ import annotations

from itertools import product

import pytest

from inference.policy import Answer, Refuse, Wait, decide, to_free

OLD, NEW = 1, 2
NONE: frozenset[int] = frozenset()


@pytest.mark.parametrize("before", [None, OLD, NEW])
@pytest.mark.parametrize("warm", [NONE, {OLD}, {NEW}, {OLD, NEW}])
@pytest.mark.parametrize("loading", [NONE, {NEW}])
@pytest.mark.parametrize("refused", [NONE, {NEW}])
def test_every_combination_is_decided_by_the_rules(
    before: int | None,
    warm: frozenset[int],
    loading: frozenset[int],
    refused: frozenset[int],
) -> None:
    decision = decide(wanted=NEW, before=before, warm=warm, loading=loading, refused=refused)
    expected: Answer | Wait | Refuse
    if NEW in warm:
        expected = Answer(NEW)
    elif before == OLD and OLD in warm:
        expected = Answer(OLD, load_beside=None if (NEW in refused or NEW in loading) else NEW)
    elif NEW in refused:
        expected = Refuse(NEW)
    else:
        expected = Wait(NEW)
    assert (type(decision), decision) == (type(expected), expected)


TABLE = {
    "warm": ({"warm": {NEW}}, Answer(NEW)),
    "cold": ({}, Wait(NEW)),
    "cold, loading": ({"loading": {NEW}}, Wait(NEW)),
    "cold, refused": ({"refused": {NEW}}, Refuse(NEW)),
    "the old one is warm": ({"before": OLD, "warm": {OLD}}, Answer(OLD, load_beside=NEW)),
    "the old one is warm, the new one loading": (
        {"before": OLD, "warm": {OLD}, "loading": {NEW}},
        Answer(OLD),
    ),
    "the old one is warm, the new one refused": (
        {"before": OLD, "warm": {OLD}, "refused": {NEW}},
        Answer(OLD),
    ),
    "both are warm": ({"before": OLD, "warm": {OLD, NEW}}, Answer(NEW)),
    "a warm one that did not answer this label": ({"warm": {OLD}}, Wait(NEW)),
    "the one before was let go": ({"before": OLD}, Wait(NEW)),
    "it failed once, and is warm": ({"warm": {NEW}, "refused": {NEW}}, Answer(NEW)),
    "another one is refused": ({"refused": {OLD}}, Wait(NEW)),
    "another one is loading": (
        {"before": OLD, "warm": {OLD}, "loading": {3}},
        Answer(OLD, load_beside=NEW),
    ),
}


@pytest.mark.parametrize(("state", "expected"), TABLE.values(), ids=TABLE)
def test_the_cases_with_a_name(state: dict[str, object], expected: Answer | Wait | Refuse) -> None:
    defaults = {"wanted": NEW, "before": None, "warm": NONE, "loading": NONE, "refused": NONE}
    decision = decide(**defaults | state)  # type: ignore[arg-type]
    assert (type(decision), decision) == (type(expected), expected)


def test_deciding_twice_decides_the_same() -> None:
    for before, warm in product([None, OLD], [NONE, {OLD}]):
        state = {"wanted": NEW, "before": before, "warm": warm, "loading": NONE, "refused": NONE}
        assert decide(**state) == decide(**state)  # type: ignore[arg-type]


FREED = {
    "nothing is warm": (NONE, [], None, NONE),
    "all answer": ({1, 2}, [1, 2], None, NONE),
    "one answers": ({1, 2}, [2], None, {1}),
    "none answers": ({1, 2}, [], None, {1, 2}),
    "one was asked by number": ({1, 2, 3}, [3], 1, {2}),
    "it answers as well": ({1, 2}, [1], 1, {2}),
    "it is not warm": ({1, 2}, [2], 7, {1}),
    "what answers is not warm": ({1}, [9], None, {1}),
    "two labels, one version": ({1, 2}, [2, 2], None, {1}),
}


@pytest.mark.parametrize(("warm", "answering", "asked", "freed"), FREED.values(), ids=FREED)
def test_what_answers_no_label_is_freed_but_for_one(
    warm: set[int], answering: list[int], asked: int | None, freed: set[int]
) -> None:
    assert to_free(warm=warm, answering=answering, asked_by_number=asked) == freed
