"""Decision to restart an environment; one row a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from inference.process.clock import Moment
from inference.serving.recycling_policy import Conflict, find_due, find_outlived
from inference.serving.view import ModelView
from model_store.digests import Digest
from model_store.reading import Seen
from model_store.refs import State
from tests.support.documents import REFS, refs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference.serving.mapped_files import Pinned

T: Final = 1_800_000_000.0
NOTICED: Final = Moment(T, 1000.0)
OLD_SET, NEW_SET = Digest.of_bytes(b"old"), Digest.of_bytes(b"new")
ENTRY: Final = next(iter(REFS.versions.values()))


def later(s: float) -> Moment:
    return Moment(T + s, 1000.0 + s)


def view(name: str, labels: Mapping[str, int], retired: frozenset[int] = frozenset()) -> ModelView:
    """A model with versions 1 to 3, all in service but those that are retired."""
    available = ENTRY._replace(state=State.AVAILABLE, sweep_after=None)
    gone = ENTRY._replace(state=State.RETIRED, sweep_after="2030-01-01T00:00:00Z")
    versions = {n: gone if n in retired else available for n in (1, 2, 3)}
    refs = refs_of(5, model=name, model_id=name, labels=labels, versions=versions)
    return ModelView(Seen("store", refs), NOTICED, NOTICED)


def version(name: str, number: int) -> Pinned:
    return name, ("store", name), number


def is_due(
    models: Mapping[str, Mapping[str, int]],
    *,
    wanted: Pinned,
    by: set[Pinned],
    after_s: float = 0.0,
    wait_s: float = 0.0,
    answered: tuple[str, ...] = ("m",),
) -> bool:
    """Decide on a version that is blocked by packages that `by` imported."""
    views = {name: view(name, labels) for name, labels in models.items()}
    due = find_due(
        [Conflict(wanted, (OLD_SET,), NOTICED)],
        {},
        {OLD_SET: by} if by else {},
        views.get,
        later(after_s),
        wait_s=wait_s,
        answered=answered,
    )
    return due is not None


@pytest.mark.parametrize(
    ("models", "wanted", "by", "expected"),
    [
        # What is in the way is needed by nothing that a label names.
        ({"m": {"latest": 2}}, version("m", 2), {version("m", 1)}, True),
        ({"m": {"latest": 3, "stable": 2}}, version("m", 2), {version("m", 1)}, True),
        # No label names the wanted version: a caller named its number.
        ({"m": {"latest": 1}}, version("m", 2), {version("m", 1)}, False),
        ({"m": {"latest": 3}}, version("m", 2), {version("m", 1)}, False),
        # `latest` comes before another label, and no other before another.
        ({"m": {"latest": 2, "canary": 1}}, version("m", 2), {version("m", 1)}, True),
        ({"m": {"latest": 1, "canary": 2}}, version("m", 2), {version("m", 1)}, False),
        ({"m": {"a": 1, "b": 2}}, version("m", 2), {version("m", 1)}, False),
        # One set may be needed by several.
        ({"m": {"latest": 2}}, version("m", 2), {version("m", 1), version("m", 3)}, True),
        ({"m": {"latest": 2}, "n": {"latest": 1}}, version("m", 2), {version("n", 1)}, False),
        ({"m": {"latest": 2}, "n": {"latest": 2}}, version("m", 2), {version("n", 1)}, True),
        # A model that was removed, or created again, needs nothing.
        ({"m": {"latest": 2}}, version("m", 2), {version("n", 1)}, True),
        ({"m": {"latest": 2}}, version("m", 2), {("m", ("store", "before"), 2)}, True),
        # The blocking version is still being loaded: the versions that need it are not known yet.
        ({"m": {"latest": 2}}, version("m", 2), set(), False),
    ],
)
def test_a_version_is_let_in_where_nothing_of_its_rank_needs_what_is_in_its_way(
    models: Mapping[str, Mapping[str, int]], wanted: Pinned, by: set[Pinned], *, expected: bool
) -> None:
    assert is_due(models, wanted=wanted, by=by) is expected


def test_no_two_versions_are_each_due_for_the_others_sake() -> None:
    """Otherwise an environment would restart forever, for two versions in turn."""
    names = [{}, {"latest"}, {"a"}, {"latest", "a"}]
    for first in names:
        for second in names:
            models = {"m": dict.fromkeys(first, 1), "n": dict.fromkeys(second, 1)}
            one, other = version("m", 1), version("n", 1)
            assert not (
                is_due(models, wanted=one, by={other}) and is_due(models, wanted=other, by={one})
            )


@pytest.mark.parametrize(
    ("after_s", "answered", "expected"),
    [(9.0, ("m",), False), (10.0, ("m",), True), (0.0, (), True), (0.0, ("n",), True)],
)
def test_an_environment_that_answers_meanwhile_waits_for_its_turn(
    after_s: float, answered: tuple[str, ...], *, expected: bool
) -> None:
    due = is_due(
        {"m": {"latest": 2}}, wanted=version("m", 2), by={version("m", 1)},
        after_s=after_s, wait_s=10.0, answered=answered,
    )  # fmt: skip
    assert due is expected


@pytest.mark.parametrize(
    ("retired", "by", "expected"),
    [
        (set(), {version("m", 1)}, set()),
        ({1}, {version("m", 1)}, {OLD_SET}),
        ({1}, {version("m", 1), version("m", 2)}, set()),
        ({1, 2}, {version("m", 1), version("m", 2)}, {OLD_SET}),
        (set(), {version("gone", 1)}, {OLD_SET}),
        (set(), {("m", ("store", "before"), 1)}, {OLD_SET}),
    ],
)
def test_a_set_is_outlived_when_no_version_in_service_pins_it(
    retired: set[int], by: set[Pinned], expected: set[Digest]
) -> None:
    seen = {"m": view("m", {"latest": 3}, frozenset(retired))}
    pinned = {OLD_SET: by, NEW_SET: {version("m", 3)}}
    assert find_outlived(pinned, seen.get) == expected


@pytest.mark.parametrize(
    ("sweep_after_s", "after_s", "expected"),
    [
        (86_400, 9.0, False),  # its turn has not come
        (86_400, 10.0, True),
        (305, 0.0, True),  # it could not wait for its turn: nothing may run by then
        (-1, 0.0, True),
    ],
)
def test_an_outlived_set_waits_for_its_turn_unless_nothing_may_run_any_more(
    sweep_after_s: float, after_s: float, *, expected: bool
) -> None:
    when = "2027-01-15T08:00:00Z"  # T
    retired = view("m", {"latest": 3}, frozenset({1}))
    entry = retired.refs.versions[1]._replace(sweep_after=when)
    refs = retired.refs._replace(versions={**retired.refs.versions, 1: entry})
    seen = {"m": retired._replace(seen=Seen("store", refs))}
    noticed = Moment(T - sweep_after_s, 1000.0)
    seen["m"] = seen["m"]._replace(upward_at=noticed)
    due = find_due(
        [], {OLD_SET: noticed}, {OLD_SET: {version("m", 1)}}, seen.get,
        Moment(noticed.wall_s + after_s, 1000.0 + after_s), wait_s=10.0, answered=("m",),
    )  # fmt: skip
    assert (due is not None) is expected
