"""Effect of a new signature on callers of the old signature: a table, and properties."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_store.signature import DYNAMIC, Signature, TensorSpec
from model_sync.publishing.signature_change import Difference, compare
from tests.support.strategies import signatures

Shape = tuple[int, ...] | None

X: Final = TensorSpec("x", "FP32", (DYNAMIC, 2))
Y: Final = TensorSpec("y", "FP32", (DYNAMIC, 3))
OLD: Final = Signature((X,), (Y,))

# What differs, the new signature, and which lines tell it: True where it breaks callers.
TABLE: Final[dict[str, tuple[Signature, list[tuple[str, bool]]]]] = {
    "nothing": (OLD, []),
    "an input is gone": (Signature((), (Y,)), [("input 'x' is gone, or renamed", True)]),
    "an input is new": (
        Signature((X, X._replace(name="z")), (Y,)), [("input 'z' is new", True)]
    ),
    "an input is renamed": (
        Signature((X._replace(name="z"),), (Y,)),
        [("input 'x' is gone, or renamed", True), ("input 'z' is new", True)],
    ),
    "an input's datatype": (
        Signature((X._replace(datatype="FP16"),), (Y,)), [("input 'x' was FP32, is FP16", True)]
    ),
    "an output is gone": (Signature((X,), ()), [("output 'y' is gone, or renamed", True)]),
    "an output is new": (
        Signature((X,), (Y, Y._replace(name="z"))), [("output 'z' is new", False)]
    ),
    "an output is renamed": (
        Signature((X,), (Y._replace(name="z"),)),
        [("output 'y' is gone, or renamed", True), ("output 'z' is new", False)],
    ),
    "an output's datatype": (
        Signature((X,), (Y._replace(datatype="FP64"),)), [("output 'y' was FP32, is FP64", True)]
    ),
    "what breaks comes first": (
        Signature((X._replace(shape=(DYNAMIC, DYNAMIC)),), ()),
        [
            ("output 'y' is gone, or renamed", True),
            ("input 'x' had shape [any, 2], has [any, any]", False),
        ],
    ),
    "a name that is more than a line": (
        Signature((X, X._replace(name="a\nb")), (Y,)), [(r"input 'a\nb' is new", True)]
    ),
}  # fmt: skip


@pytest.mark.parametrize(("new", "told"), TABLE.values(), ids=TABLE)
def test_each_difference_is_told_in_a_line(new: Signature, told: list[tuple[str, bool]]) -> None:
    assert compare(OLD, new) == tuple(Difference(text, breaks) for text, breaks in told)


# The old shape, the new one, and whether that breaks: of an input, of an output.
SHAPES: Final[list[tuple[Shape, Shape, bool, bool]]] = [
    ((2, 3), (2, 4), True, True),
    ((2, 3), (2,), True, True),
    ((2, 3), (2, 3, 1), True, True),
    ((2, 3), (3, 2), True, True),
    ((), (1,), True, True),
    ((2, 3), (DYNAMIC, 3), False, True),
    ((DYNAMIC, 3), (2, 3), True, False),
    ((DYNAMIC, 3), (2, DYNAMIC), True, True),
    ((0,), (DYNAMIC,), False, True),
    ((2, 3), None, False, True),
    (None, (2, 3), True, False),
    (None, (), True, False),
    ((DYNAMIC, DYNAMIC), (DYNAMIC,), True, True),
]


@pytest.mark.parametrize(("old", "new", "of_input", "of_output"), SHAPES)
def test_a_shape_may_take_more_and_promise_more(
    old: Shape, new: Shape, *, of_input: bool, of_output: bool
) -> None:
    before, after = X._replace(shape=old), X._replace(shape=new)
    [found] = compare(Signature((before,), (Y,)), Signature((after,), (Y,)))
    assert found.breaks is of_input
    [found] = compare(Signature((X,), (before,)), Signature((X,), (after,)))
    assert found.breaks is of_output


@pytest.mark.parametrize("side", ["inputs", "outputs"])
def test_another_order_is_told_and_breaks_nobody(side: str) -> None:
    old = OLD._replace(**{side: (X, Y)})
    new = OLD._replace(**{side: (Y, X)})
    assert compare(old, new) == (Difference(f"the {side} come in another order", breaks=False),)


def test_an_output_before_the_others_is_no_other_order() -> None:
    new = OLD._replace(outputs=(Y._replace(name="z"), Y))
    assert [each.text for each in compare(OLD, new)] == ["output 'z' is new"]


def _breaks(old: Signature, new: Signature) -> bool:
    return any(difference.breaks for difference in compare(old, new))


_shapes = st.none() | st.lists(st.sampled_from([DYNAMIC, 1, 2]), max_size=2).map(tuple)
_specs = st.builds(TensorSpec, st.sampled_from("ab"), st.sampled_from(["FP32", "FP64"]), _shapes)
_sides = st.lists(_specs, max_size=2, unique_by=lambda spec: spec.name).map(tuple)
_near = st.builds(Signature, _sides, _sides)


@given(signatures)
def test_a_signature_is_compatible_with_itself(signature: Signature) -> None:
    assert compare(signature, signature) == ()


@given(_near, _near)
def test_what_is_not_equal_is_told(old: Signature, new: Signature) -> None:
    assert (compare(old, new) == ()) is (old == new)
    assert all(len(text.splitlines()) == 1 for text, _ in compare(old, new))


@given(_near, _near, _near)
def test_two_steps_that_break_nobody_are_one_that_breaks_nobody(
    first: Signature, second: Signature, third: Signature
) -> None:
    if not _breaks(first, second) and not _breaks(second, third):
        assert not _breaks(first, third)


def _takes(shape: Shape, tensor: tuple[int, ...]) -> bool:
    if shape is None:
        return True
    return len(shape) == len(tensor) and all(
        size in {DYNAMIC, given} for size, given in zip(shape, tensor, strict=True)
    )


@given(_shapes, _shapes, st.lists(st.integers(0, 3), max_size=3).map(tuple))
def test_what_the_old_input_took_is_taken_unless_that_breaks(
    old: Shape, new: Shape, tensor: tuple[int, ...]
) -> None:
    before, after = (OLD._replace(inputs=(X._replace(shape=shape),)) for shape in (old, new))
    if not _breaks(before, after) and _takes(old, tensor):
        assert _takes(new, tensor)
