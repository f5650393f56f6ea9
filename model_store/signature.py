"""A model's signature: its inputs and outputs, in the Open Inference Protocol's terms."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, Self

from model_store.documents import Fields
from model_store.errors import DamagedError

DYNAMIC: Final = -1

DATATYPES: Final = frozenset(
    {
        "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
        "FP16", "BF16", "FP32", "FP64", "BYTES",
    }
)  # fmt: skip


class TensorSpec(NamedTuple):
    """An input or output: name, datatype and shape (-1 = dynamic, None = of any rank)."""

    name: str
    datatype: str
    shape: tuple[int, ...] | None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        shape = None if self.shape is None else list(self.shape)
        return {"name": self.name, "datatype": self.datatype, "shape": shape}

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        fields = Fields(value, where)
        name, datatype = fields.text("name"), fields.text("datatype")
        if datatype not in DATATYPES:
            raise DamagedError(f"{where}: {name!r} has unknown datatype {datatype!r}")
        shape = None if fields.is_null("shape") else _shape(fields.items("shape"), where)
        fields.done()
        return cls(name, datatype, shape)


class Signature(NamedTuple):
    """A model's inputs and outputs, in the graph's order. Names are unique on each side."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return {
            "inputs": [spec.to_json() for spec in self.inputs],
            "outputs": [spec.to_json() for spec in self.outputs],
        }

    @classmethod
    def from_fields(cls, fields: Fields) -> Self:
        """Read a value from `to_json`; raises DamagedError."""
        sides = []
        for side in ("inputs", "outputs"):
            where = f"{fields.where}: {side}"
            specs = tuple(TensorSpec.from_json(item, where) for item in fields.items(side))
            if len({spec.name for spec in specs}) != len(specs):
                raise DamagedError(f"{where} name one tensor twice")
            sides.append(specs)
        fields.done()
        return cls(*sides)


def _shape(values: list[object], where: str) -> tuple[int, ...]:
    shape = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int) or value < DYNAMIC:
            raise DamagedError(f"{where}: {value!r} is no dimension")
        shape.append(value)
    return tuple(shape)
