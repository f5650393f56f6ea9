"""Tensors to send and to compare: values at each datatype's limits, as JSON and as bytes.

A tensor's values are Python's own; BF16, which numpy has not, is made of FP32's upper halves.
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Spec

INTEGERS: dict[str, np.dtype[Any]] = {
    f"{sign}INT{bits}": np.dtype(f"{sign.lower()}int{bits}")
    for sign in ("U", "")
    for bits in (8, 16, 32, 64)
}
FLOATS: dict[str, np.dtype[Any]] = {
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
}
DATATYPES = ("BOOL", *INTEGERS, *FLOATS, "BYTES")
"""Those of the specification's table."""
KNOWN = (*DATATYPES, "BF16")


def examples(datatype: str) -> list[Any]:
    """Values that a datatype must carry: its limits, and what is easily lost."""
    if datatype == "BOOL":
        return [True, False, True, True]
    if datatype in INTEGERS:
        limits = np.iinfo(INTEGERS[datatype])
        # Beyond 2**53 a reader by way of doubles loses the last digits.
        return [int(limits.min), 0, 1, int(limits.max), int(limits.max) - 1, int(limits.max) // 3]
    if datatype == "BYTES":
        return [
            "",
            "plain",
            'quote " and \\',
            "tab\tline\n",
            "h\u00e9llo \u4e16\u754c",
            "\U0001d11e",
        ]
    if datatype == "BF16":
        return [0.0, 1.5, -2.0, 2.0**100, -(2.0**-100), 3.140625]
    limits_of = np.finfo(FLOATS[datatype])
    wanted = [0.0, -1.5, 0.1, 1 / 3, float(limits_of.max), float(limits_of.min), 5e-8]
    wanted.append(float(limits_of.tiny))
    return [float(value) for value in np.array(wanted, FLOATS[datatype])]


def shape_of(spec: Spec, count: int) -> list[int]:
    """A shape that fits a model's, of `count` elements or what comes next to it."""
    shape = [1 if size == -1 else size for size in spec.shape]
    if -1 in spec.shape:
        last = len(shape) - 1 - list(reversed(spec.shape)).index(-1)
        fixed = math.prod(shape)
        shape[last] = max(1, -(-count // fixed)) if fixed else 1
    return shape


def as_many(values: Sequence[Any], shape: Sequence[int]) -> list[Any]:
    """The values over and over, as many as the shape has."""
    return [values[number % len(values)] for number in range(math.prod(shape))]


def nested(values: list[Any], shape: Sequence[int]) -> list[Any]:
    """Flat values as they nest by a shape of one size or more."""
    for size in reversed(shape[1:]):
        values = [values[start : start + size] for start in range(0, len(values), size)]
    return values


def to_bytes(values: Sequence[Any], datatype: str) -> bytes:
    """Values as the binary tensor extension has them."""
    if datatype == "BYTES":
        encoded = [value.encode() for value in values]
        return b"".join(struct.pack("<I", len(item)) + item for item in encoded)
    if datatype == "BF16":
        whole = np.array(values, "<f4").tobytes()
        return b"".join(whole[at + 2 : at + 4] for at in range(0, len(whole), 4))
    if datatype == "BOOL":
        return bytes(values)
    dtype = INTEGERS.get(datatype) or FLOATS[datatype]
    return np.array(values, dtype).astype(dtype.newbyteorder("<")).tobytes()


def assert_same(found: Sequence[Any], expected: Sequence[Any], datatype: str) -> None:
    """Compare values from JSON with expected values, each in the datatype's own representation."""
    assert len(found) == len(expected), f"{len(found)} elements, expected {len(expected)}"
    kinds = _KINDS.get(datatype, {int})
    for number, (value, wanted) in enumerate(zip(found, expected, strict=True)):
        right = type(value) in kinds and _as(datatype, value) == wanted
        assert right, f"element {number} of {datatype} is {value!r}, expected {wanted!r}"


_KINDS: dict[str, set[type]] = {
    "BOOL": {bool},
    "BYTES": {str},
    **{datatype: {int, float} for datatype in FLOATS},
}


def _as(datatype: str, value: Any) -> Any:
    if datatype not in FLOATS:
        return value
    with np.errstate(over="ignore"):
        return float(FLOATS[datatype].type(value))
