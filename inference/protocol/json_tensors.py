"""JSON data to arrays; elements of another type than the datatype's are refused, not converted.

numpy alone would convert true to 1, "1.5" to 1.5 and 1e999 to infinity. Data is row-major, either
flat or nested as the shape (Open Inference Protocol, "Tensor Data").
"""

from __future__ import annotations

import math
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from inference.errors import BadRequestError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_DIMENSIONS: Final = 64
"""numpy's limit."""

MOST_SIZE: Final = 2**63 - 1

_ACCEPTED: Final[dict[str, set[type]]] = {
    "b": {bool},
    "i": {int},
    "u": {int},
    "f": {int, float},
    "O": {str},
}
_KINDS: Final = {
    bool: "booleans",
    int: "integers",
    float: "floats",
    str: "strings",
    type(None): "null",
    dict: "objects",
}


def to_array(
    data: object, *, shape: tuple[int, ...], name: str, datatype: str, dtype: np.dtype[Any]
) -> NDArray[np.generic]:
    """Convert an input's JSON data to an array of `shape` and `dtype`; raises BadRequestError."""
    nesting, flat, kinds = _unnest(data, name, datatype)
    if len(flat) != math.prod(shape):
        raise BadRequestError(
            f"input {name!r} has {len(flat)} elements in 'data', "
            f"expected {math.prod(shape)} for shape {list(shape)}"
        )
    if len(nesting) > 1 and not _nests_as(nesting, shape):
        raise BadRequestError(
            f"the data of input {name!r} nests as {list(nesting)}, expected {list(shape)}"
        )
    if dtype.kind in "iu" and float in kinds and _are_past_64_bits(flat):
        raise BadRequestError(f"a value of input {name!r} is out of {datatype}'s range")
    for kind in kinds - _ACCEPTED[dtype.kind]:
        raise BadRequestError(
            f"the data of input {name!r} holds {_KINDS[kind]}, expected {datatype} elements"
        )
    try:
        return _convert(flat, dtype).reshape(shape)
    except OverflowError:
        raise BadRequestError(f"a value of input {name!r} is out of {datatype}'s range") from None
    except ValueError:  # no elements, but sizes too large for an array
        raise BadRequestError(f"input {name!r} has the impossible shape {list(shape)}") from None


def _unnest(data: object, name: str, datatype: str) -> tuple[tuple[int, ...], list[Any], set[type]]:
    """Return the sizes of nested data by level, its elements in order, and their types."""
    nesting: list[int] = []
    level: list[Any] = [data]
    kinds = set(map(type, level))
    while list in kinds:
        sizes = set(map(len, level)) if kinds == {list} else set()
        if len(sizes) != 1 or len(nesting) == MOST_DIMENSIONS:
            raise BadRequestError(
                f"the data of input {name!r} is ragged or not made of {datatype} elements"
            )
        nesting.append(sizes.pop())
        level = list(chain.from_iterable(level))
        kinds = set(map(type, level))
    return tuple(nesting), level, kinds


def _are_past_64_bits(flat: list[Any]) -> bool:
    """Return True if all floats are 2**63 or more: orjson reads integers over 64 bits as floats."""
    return all(abs(value) >= 2**63 for value in flat if isinstance(value, float))


def _nests_as(nesting: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    # Data has no levels below a size of zero: the shape's sizes after it cannot be compared.
    return nesting == shape or (nesting[-1] == 0 and nesting == shape[: len(nesting)])


def _convert(flat: list[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert elements to a flat array; raises OverflowError for a value out of range."""
    if not flat:
        return np.empty(0, dtype)
    if dtype.kind in "iu":
        return _convert_integers(flat, dtype)
    if dtype.kind != "f":
        return np.array(flat, dtype)
    wide = np.array(flat, np.float64)
    with np.errstate(over="ignore"):
        array = wide.astype(dtype)
    if not np.isfinite(array).all():
        raise OverflowError
    return array


def _convert_integers(flat: list[int], dtype: np.dtype[Any]) -> NDArray[Any]:
    limits = np.iinfo(dtype)
    try:
        wide = np.array(flat, np.int64)
        low, high = int(wide.min()), int(wide.max())
    except OverflowError:  # some need more than 63 bits: use Python's integers
        low, high = min(flat), max(flat)
        wide = np.array(flat, np.object_)
    if low < limits.min or high > limits.max:
        raise OverflowError
    return wide.astype(dtype)
