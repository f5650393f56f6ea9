from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.serving.traffic import Wanted, label_of, split_label
from model_store.refs import Change, Refs

if TYPE_CHECKING:
    from collections.abc import Mapping

POINTS = [step / 1000 for step in range(1000)]


def refs(split: Mapping[str, int], model: str = "adder") -> Refs:
    labels = dict.fromkeys([*split, "latest"], 1)
    change = Change("who", "2026-01-01T00:00:00Z", "split", "")
    return Refs(model, "id", 1, "writer", 2, labels, split, {}, {}, change)


def shares(split: Mapping[str, int]) -> dict[str, int]:
    found = [split_label(refs(split), None, point) for point in POINTS]
    return {label: found.count(label) for label in set(found)}


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ({}, {"latest": 1000}),
        ({"canary": 0}, {"latest": 1000}),
        ({"canary": 100}, {"canary": 1000}),
        ({"canary": 5}, {"canary": 50, "latest": 950}),
        ({"canary": 5, "other": 20}, {"canary": 50, "other": 200, "latest": 750}),
        ({"a": 50, "b": 50}, {"a": 500, "b": 500}),
        ({"latest": 10, "canary": 90}, {"latest": 100, "canary": 900}),
        ({"a": 0, "b": 100, "c": 0}, {"b": 1000}),
    ],
)
def test_a_split_is_honoured_to_the_percent(
    split: Mapping[str, int], expected: dict[str, int]
) -> None:
    assert shares(split) == expected


@given(st.text(), st.floats(0, 1, exclude_max=True))
def test_zero_percent_is_never_and_a_hundred_always(key: str, point: float) -> None:
    for routing_key in (None, key):
        assert split_label(refs({"canary": 0}), routing_key, point) == "latest"
        assert split_label(refs({"canary": 100}), routing_key, point) == "canary"


@given(st.text(), st.integers(0, 100))
def test_a_key_goes_one_way_whatever_is_drawn(key: str, percent: int) -> None:
    found = {split_label(refs({"canary": percent}), key, point) for point in (0.0, 0.4, 0.999)}
    assert len(found) == 1


def test_keys_are_spread_by_the_split_and_another_model_spreads_them_another_way() -> None:
    keys = [f"user-{number}" for number in range(20_000)]
    canary = {key for key in keys if split_label(refs({"canary": 30}), key, 0.0) == "canary"}
    other = {
        key for key in keys if split_label(refs({"canary": 30}, "other"), key, 0.0) == "canary"
    }
    assert abs(len(canary) - 6000) < 300
    assert abs(len(canary & other) - 1800) < 200


def test_a_larger_share_moves_no_key_back() -> None:
    keys = [f"user-{number}" for number in range(2000)]
    before: set[str] = set()
    for percent in (0, 1, 5, 20, 50, 99, 100):
        now = {key for key in keys if split_label(refs({"canary": percent}), key, 0.0) == "canary"}
        assert before <= now
        before = now
    assert before == set(keys)


@pytest.mark.parametrize(
    ("wanted", "label"),
    [
        (Wanted(), "canary"),
        (Wanted(routing_key="any"), "canary"),
        (Wanted(label="latest"), "latest"),
        (Wanted(label="stable", routing_key="any"), "stable"),
        (Wanted(version=3), None),
        (Wanted(version=3, routing_key="any"), None),
    ],
)
def test_a_split_is_for_calls_that_name_neither_version_nor_label(
    wanted: Wanted, label: str | None
) -> None:
    assert label_of(refs({"canary": 100}), wanted, 0.5) == label


def test_without_a_split_calls_go_to_latest() -> None:
    assert label_of(refs({}), Wanted(routing_key="any"), 0.5) == "latest"
