"""Conversion of outputs that are sequences or maps to tensors. Pure, except `run`.

The protocol has tensors only. Publishing writes these tensors into the signature, and each run
converts the outputs to them:

    a sequence of tensors           one tensor, with a new first dimension for the sequence
    a map                           a one-dimensional tensor of the values, and one of the keys
    a sequence of maps (ZipMap)     a tensor with a row of values for each map, and one of the keys

The tensor of the keys has the output's name and `.keys`; ONNX Runtime returns maps sorted by key,
not in the graph's order. scikit-learn's classifiers return probabilities as maps unless exported
without ZipMap. Tensors of different shapes, or maps of different keys, do not fit into one tensor:
they raise OutputError. Models with sequences as inputs are refused. Source: ONNX's types
(docs/IR.md, "Standard data types", and the ONNX-ML operator ZipMap).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from inference.errors import OutputError
from inference.protocol.datatypes import DTYPES
from model_store.signature import DYNAMIC, TensorSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

_KEYS: Final = ".keys"
_MAPS: Final = ("map(", "seq(map(")


def specs_of_sequence(element: TensorSpec) -> tuple[TensorSpec, ...]:
    """Return the specs of a sequence of tensors like `element`, which has the output's name."""
    shape = None if element.shape is None else (DYNAMIC, *element.shape)
    return (element._replace(shape=shape),)


def specs_of_map(name: str, keys: str, values: str, *, in_sequence: bool) -> tuple[TensorSpec, ...]:
    """Return the specs of a map, or of a sequence of maps, with these two datatypes."""
    shape = (DYNAMIC, DYNAMIC) if in_sequence else (DYNAMIC,)
    return TensorSpec(name, values, shape), TensorSpec(name + _KEYS, keys, (DYNAMIC,))


def names_of(name: str, kind: str) -> tuple[str, ...]:
    """Return the names in the signature of a graph's output."""
    return (name, name + _KEYS) if kind.startswith(_MAPS) else (name,)


def run(
    session: Any,
    names: Sequence[str],
    tensors: Mapping[str, NDArray[Any]],
    nested: Mapping[str, str],
    specs: Iterable[TensorSpec],
) -> list[NDArray[Any]]:
    """Run a session that has outputs other than tensors, and return tensors in order of `names`.

    `nested`: the types of those outputs, by name. `names` and `specs` are the signature's. Raises
    OutputError and the session's own errors.
    """
    owners = {each: name for name, kind in nested.items() for each in names_of(name, kind)}
    wanted = list(dict.fromkeys(owners.get(name, name) for name in names))
    by_name = {spec.name: spec for spec in specs}
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in zip(wanted, session.run(wanted, dict(tensors)), strict=True):
        if name in nested:
            arrays |= to_tensors(value, nested[name], by_name, name)
        else:
            arrays[name] = value
    return [arrays[name] for name in names]


def to_tensors(
    value: Any, kind: str, specs: Mapping[str, TensorSpec], name: str
) -> dict[str, NDArray[Any]]:
    """Convert one output of ONNX Runtime to the tensors of its specs; raises OutputError."""
    if not kind.startswith(_MAPS):
        return {name: _stacked(value, specs[name])}
    maps = [value] if kind.startswith("map(") else value
    keys = list(maps[0]) if maps else []
    if any(list(each) != keys for each in maps):
        raise OutputError(
            f"output {name!r} is a sequence of maps of different keys: no tensor holds them"
        )
    rows = [list(each.values()) for each in maps]
    values = np.array(rows, DTYPES[specs[name].datatype]).reshape(len(maps), len(keys))
    return {
        name: values[0] if kind.startswith("map(") else values,
        name + _KEYS: np.array(keys, DTYPES[specs[name + _KEYS].datatype]),
    }


def _stacked(tensors: Sequence[NDArray[Any]], spec: TensorSpec) -> NDArray[Any]:
    if not tensors:
        sizes = (max(size, 0) for size in spec.shape or (0,))
        return np.empty(tuple(sizes), DTYPES[spec.datatype])
    shapes = {tensor.shape for tensor in tensors}
    if len(shapes) > 1:
        a, b = sorted(shapes)[:2]
        raise OutputError(
            f"output {spec.name!r} is a sequence of tensors of different shapes, {list(a)} and "
            f"{list(b)} among them: no tensor holds them"
        )
    return np.stack(tensors)
