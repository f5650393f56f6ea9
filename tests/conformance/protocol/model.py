"""A model as a server's metadata describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Spec:
    """One input or output; -1 is a size of any number."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    @property
    def dynamic(self) -> int:
        """Number of dimensions of free size."""
        return self.shape.count(-1)


@dataclass(frozen=True, slots=True)
class Model:
    """A model; `identity` says that its outputs are its inputs, in their order."""

    name: str
    inputs: tuple[Spec, ...]
    outputs: tuple[Spec, ...]
    versions: tuple[str, ...]
    identity: bool


def read_model(document: dict[str, Any], name: str, *, identity: bool) -> Model:
    """Read a model metadata response; AssertionError for what is not one."""
    assert document.get("name") == name, f"'name' is {document.get('name')!r}, expected {name!r}"
    versions = document.get("versions") or []
    assert isinstance(versions, list), f"'versions' is {versions!r}"
    assert all(isinstance(each, str) for each in versions), f"'versions' are {versions!r}"
    inputs, outputs = _specs(document, "inputs"), _specs(document, "outputs")
    return Model(name, inputs, outputs, tuple(versions), identity)


def _specs(document: dict[str, Any], side: str) -> tuple[Spec, ...]:
    items = document.get(side)
    assert isinstance(items, list), f"no list at {side!r}"
    found: list[Spec] = []
    for item in items:
        assert isinstance(item, dict), f"an element of {side!r} is no object"
        name, datatype, shape = (item.get(key) for key in ("name", "datatype", "shape"))
        assert isinstance(name, str), f"an element of {side!r} has no name"
        assert isinstance(datatype, str), f"{name!r} has no datatype"
        assert isinstance(shape, list), f"{name!r} has no shape"
        assert all(type(size) is int and size >= -1 for size in shape), f"{name!r}: shape {shape}"
        found.append(Spec(name, datatype, tuple(shape)))
    return tuple(found)
