"""Outputs that are no tensors, as tensors: ONNX's sequences and maps. Pure, but for `run`.

The protocol has tensors only, so what a graph gives beside them takes this form, which publishing
writes into the signature and every run keeps to:

    a sequence of tensors           one tensor with a first dimension more: those of the sequence
    a map                           the values, one dimension; and its keys, in a second tensor
    a sequence of maps (ZipMap)     the values, a row for each map; and the keys of all of them

The keys' tensor has the output's name and `.keys`; ONNX Runtime gives maps sorted by their keys,
whatever the graph's order. scikit-learn's classifiers give probabilities so unless they are
exported without ZipMap. Tensors of different shapes, and maps of different keys, are in no one
tensor: an OutputError. Sequences as inputs are not served. Source: ONNX's types (docs/IR.md,
"Standard data types", and the ONNX-ML operator ZipMap).
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
    """The signature's form of a sequence of tensors like `element`, which bears its name."""
    shape = None if element.shape is None else (DYNAMIC, *element.shape)
    return (element._replace(shape=shape),)


def specs_of_map(name: str, keys: str, values: str, *, in_sequence: bool) -> tuple[TensorSpec, ...]:
    """The signature's form of a map, or of a sequence of them, from its two datatypes."""
    shape = (DYNAMIC, DYNAMIC) if in_sequence else (DYNAMIC,)
    return TensorSpec(name, values, shape), TensorSpec(name + _KEYS, keys, (DYNAMIC,))


def names_of(name: str, kind: str) -> tuple[str, ...]:
    """The signature's names of one output of a graph."""
    return (name, name + _KEYS) if kind.startswith(_MAPS) else (name,)


def run(
    session: Any,
    names: Sequence[str],
    tensors: Mapping[str, NDArray[Any]],
    nested: Mapping[str, str],
    specs: Iterable[TensorSpec],
) -> list[NDArray[Any]]:
    """Run a session some of whose outputs are no tensors: `nested`, by name, with their types.

    `names` and `specs` are the signature's. Raises OutputError, and what the session raises.
    """
    owners = {each: name for name, kind in nested.items() for each in names_of(name, kind)}
    wanted = list(dict.fromkeys(owners.get(name, name) for name in names))
    by_name = {spec.name: spec for spec in specs}
    found: dict[str, NDArray[Any]] = {}
    for name, value in zip(wanted, session.run(wanted, dict(tensors)), strict=True):
        if name in nested:
            found |= to_tensors(value, nested[name], by_name, name)
        else:
            found[name] = value
    return [found[name] for name in names]


def to_tensors(
    value: Any, kind: str, specs: Mapping[str, TensorSpec], name: str
) -> dict[str, NDArray[Any]]:
    """Give one output, as ONNX Runtime returned it, the form of its specs; raises OutputError."""
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
