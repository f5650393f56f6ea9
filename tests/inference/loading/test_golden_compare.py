from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from inference.loading.golden_cases import compare
from model_store.version import GoldenCases
from tests.support.examples import examples

EXACT = GoldenCases((), rtol=0.0, atol=0.0)
LOOSE = GoldenCases((), rtol=0.01, atol=0.1)

# Larger integers meet floats that they differ from by less than a float tells apart.
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
EXAMPLES = examples(40, HealthCheck.too_slow)


@given(VALUES)
@example(10**400)
@EXAMPLES
def test_a_value_equals_itself(value: Any) -> None:
    again = json.loads(json.dumps(value))
    assert compare(value, again, EXACT) is None
    assert compare(value, again, LOOSE) is None


@given(VALUES, VALUES)
@example({"\n": False}, {"\n": None})
@EXAMPLES
def test_without_tolerance_a_difference_is_seen_from_both_sides(left: Any, right: Any) -> None:
    there, back = compare(left, right, EXACT), compare(right, left, EXACT)
    assert (there is None) == (back is None)
    if there is None:
        assert left == right
    else:
        assert there.startswith("$")
        assert len(there.splitlines()) == 1


@given(st.lists(VALUES, min_size=1), st.data())
@EXAMPLES
def test_a_change_in_one_place_is_found_there(values: list[Any], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(values) - 1))
    changed = [*values]
    changed[at] = {"changed": values[at]}
    difference = compare(values, changed, LOOSE)
    assert difference is not None
    assert difference.startswith(f"$[{at}]")


@given(st.floats(-1e6, 1e6), st.floats(0, 2), st.sampled_from([-1, 1]), st.sampled_from([0.5, 2.0]))
@EXAMPLES
def test_a_number_may_be_off_by_the_tolerance_and_no_more(
    expected: float, scale: float, sign: int, factor: float
) -> None:
    tolerance = GoldenCases((), rtol=0.01 * scale, atol=0.1)
    allowed = tolerance.atol + tolerance.rtol * abs(expected)
    difference = compare(expected, expected + sign * allowed * factor, tolerance)
    assert (difference is None) == (factor < 1)


DIFFERENT = {
    "a number": (1, 2, "$ is 2, expected 1"),
    "true is not 1": (True, 1, "$ is 1, expected true"),
    "1 is not true": (1, True, "$ is true, expected 1"),
    "null": (None, 0, "$ is 0, expected null"),
    "false is not null": (None, False, "$ is false, expected null"),
    "a string is not a number": ("1", 1, '$ is 1, expected "1"'),
    "a string": ("a", "b", '$ is "b", expected "a"'),
    "a key too many": ({"a": 1}, {"a": 1, "b": 2}, '$ is {"a": 1, "b": 2}, expected {"a": 1}'),
    "a key is missing": ({"a": 1}, {}, '$ is {}, expected {"a": 1}'),
    "a list too long": ([1], [1, 2], "$ is [1, 2], expected [1]"),
    "a list too short": ([1, 2], [1], "$ is [1], expected [1, 2]"),
    "a list is not an object": ([], {}, "$ is {}, expected []"),
    "in depth": (
        {"a": [{"b": 1.0}, {"b": 2.0}]},
        {"a": [{"b": 1.0}, {"b": 3.0}]},
        "$.a[1].b is 3.0, expected 2.0",
    ),
    "below keys that are no plain names": (
        {"größe": {"two words": {"a\nb": {"": {"1": {'"]': 1}}}}}},
        {"größe": {"two words": {"a\nb": {"": {"1": {'"]': 2}}}}}},
        r'$.größe["two words"]["a\nb"][""]["1"]["\"]"] is 2, expected 1',
    ),
    "the first of several": ({"a": 1, "b": 2}, {"b": 5, "a": 4}, "$.a is 4, expected 1"),
    "null for a number": ([1.0, None], [1.0, 2.0], "$[1] is 2.0, expected null"),
}


@pytest.mark.parametrize(("expected", "actual", "said"), DIFFERENT.values(), ids=DIFFERENT)
def test_a_difference_names_its_place_and_both_values(
    expected: Any, actual: Any, said: str
) -> None:
    assert compare(expected, actual, EXACT) == said


@pytest.mark.parametrize(
    ("expected", "actual"),
    [(100.0, 101.0), (100.0, 98.95), (0.0, 0.1), (5, 5.1), (1, 1.0), (-100.0, -101.0)],
)
def test_within_the_tolerance_there_is_no_difference(expected: float, actual: float) -> None:
    assert compare(expected, actual, LOOSE) is None


@pytest.mark.parametrize(
    ("expected", "actual"),
    [(100.0, 101.2), (100.0, 98.85), (0.0, 0.11), (-100.0, -101.2), (1.0, -1.0)],
)
def test_past_the_tolerance_there_is_one(expected: float, actual: float) -> None:
    assert compare(expected, actual, LOOSE) is not None


def test_the_tolerance_is_relative_to_what_was_expected() -> None:
    relative = GoldenCases((), rtol=1.0, atol=0.0)
    assert compare(10.0, 20.0, relative) is None
    assert compare(1.0, 10.0, relative) is not None
    assert compare(0.0, 1.0, relative) is not None


def test_a_long_value_is_shortened() -> None:
    difference = compare("a", "b" * 1000, EXACT)
    assert difference is not None
    assert len(difference) < 200
