"""Mutations: Tensor data in JSON."""

from __future__ import annotations

import base64
import struct
from typing import TYPE_CHECKING, Any

from tests.conformance.wrong.edits import outputs, refusing, refusing_inferences, values
from tests.conformance.wrong.server import Mutation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wrong.server import Call, Reply

INT = "data.*INT*"


def _transposed(item: Any) -> None:
    shape = item["shape"]
    if "data" in item and len(shape) > 1 and min(shape[-2:]) > 1:
        columns = shape[-1]
        item["data"] = [v for column in range(columns) for v in item["data"][column::columns]]


def _as_float32(data: list[Any], datatype: str) -> list[Any]:
    if not datatype.startswith("FP64"):
        return data
    return [struct.unpack("f", struct.pack("f", max(-3e38, min(3e38, v))))[0] for v in data]


def _numbers(change: Callable[[Any], Any], *kinds: str) -> Callable[[Call, Reply], None]:
    """Change each element of datatypes whose names hold one of these."""

    def edit(data: list[Any], datatype: str) -> list[Any]:
        return [change(v) for v in data] if any(kind in datatype for kind in kinds) else data

    return values(edit)


def _is_nested(document: Any) -> bool:
    return any(isinstance(item["data"][0], list) for item in document["inputs"])


def _as_column(item: Any) -> None:
    if len(item["shape"]) == 1:
        item["shape"].append(1)


MUTATIONS = (
    Mutation(
        "reverses-data",
        ("data.[A-Z]*", "data.flat", "data.nested", "data.integers", "data.megabyte", "binary.in"),
        after=values(lambda data, _: data[::-1]),
    ),
    Mutation("transposes-data", ("data.flat", "data.nested"), after=outputs(_transposed)),
    Mutation(
        "integers-by-doubles",
        ("data.INT64", "data.UINT64"),
        after=_numbers(lambda v: int(float(v)), "INT"),
    ),
    Mutation("integers-with-a-point", (INT,), after=_numbers(float, "INT")),
    Mutation("numbers-as-text", (INT, "data.FP*"), after=_numbers(str, "INT", "FP")),
    Mutation("doubles-by-floats", ("data.FP64",), after=values(_as_float32)),
    Mutation(
        "six-digits", ("data.FP32", "data.FP64"), after=_numbers(lambda v: float(f"{v:.6g}"), "FP")
    ),
    Mutation("booleans-as-numbers", ("data.BOOL",), after=_numbers(int, "BOOL")),
    Mutation(
        "bytes-as-base64",
        ("data.BYTES",),
        after=_numbers(lambda v: base64.b64encode(v.encode()).decode(), "BYTES"),
    ),
    Mutation(
        "text-in-ascii",
        ("data.BYTES",),
        after=_numbers(lambda v: v.encode("ascii", "replace").decode(), "BYTES"),
    ),
    Mutation("no-empty-text", ("data.BYTES",), after=_numbers(lambda v: v or " ", "BYTES")),
    Mutation("flat-data-only", ("data.nested",), before=refusing_inferences(_is_nested)),
    Mutation(
        "nested-data-only", ("data.flat",), before=refusing_inferences(lambda d: not _is_nested(d))
    ),
    Mutation(
        "wants-a-point",
        ("data.integers",),
        before=refusing_inferences(lambda d: all(type(v) is int for v in d["inputs"][0]["data"])),
    ),
    Mutation(
        "no-size-is-zero",
        ("data.empty",),
        before=refusing_inferences(lambda d: 0 in d["inputs"][0]["shape"]),
    ),
    Mutation(
        "zero-is-one",
        ("data.empty",),
        after=outputs(lambda item: item.update(shape=[size or 1 for size in item["shape"]])),
    ),
    Mutation("vectors-are-columns", ("data.vector",), after=outputs(_as_column)),
    Mutation(
        "scalars-have-a-dimension",
        ("data.scalar",),
        after=outputs(lambda item: item.update(shape=item["shape"] or [1])),
    ),
    Mutation(
        "small-bodies-only",
        ("data.megabyte",),
        before=refusing(lambda call: len(call.body) > 500_000, 413),
    ),
)
