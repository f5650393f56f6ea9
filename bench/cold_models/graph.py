"""Builder of ONNX graphs, node by node, with weights from a seed."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

Shape = tuple[int | str, ...]
"""A dimension is a number, or a name if the caller chooses its size."""

_IR_VERSION: Final = 8
_TYPES: Final = {"FP32": TensorProto.FLOAT, "INT64": TensorProto.INT64}


class Graph:
    """A graph being built. Not thread-safe; call `write` last.

    The same calls with the same seed give the same bytes.
    """

    def __init__(self, name: str, opset: int, seed: int = 0) -> None:
        self._name = name
        self._opset = opset
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, datatype: str, shape: Shape) -> str:
        """Declare an input; return its name."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[datatype], shape))
        return name

    def output(self, value: str, name: str, shape: Shape) -> None:
        """Declare a value as an output, FP32."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Append a node with one output; return the output's name."""
        number = len(self._nodes)
        output = f"{op}_{number}"
        self._nodes.append(helper.make_node(op, inputs, [output], f"node_{number}", **attributes))
        return output

    def random(self, shape: Sequence[int], scale: float) -> str:
        """Add an FP32 weight of normal deviates times `scale`; return its name."""
        values = self._random.standard_normal(shape, dtype=np.float32)
        values *= np.float32(scale)
        return self.weight(values)

    def ones(self, *shape: int) -> str:
        """Add an FP32 weight of ones; return its name."""
        return self.weight(np.ones(shape, np.float32))

    def zeros(self, *shape: int) -> str:
        """Add an FP32 weight of zeros; return its name."""
        return self.weight(np.zeros(shape, np.float32))

    def float(self, value: float) -> str:
        """Add an FP32 scalar; return its name."""
        return self.weight(np.array(value, np.float32))

    def integers(self, values: int | Iterable[int]) -> str:
        """Add an INT64 scalar or list; return its name."""
        return self.weight(np.array(values if isinstance(values, int) else [*values], np.int64))

    def weight(self, values: NDArray[Any]) -> str:
        """Add a weight; return its name."""
        name = f"weight_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(values, name))
        return name

    def write(self, path: Path) -> None:
        """Write the graph and its weights to one file; `path` is absent or complete at any time.

        Raise ValueError beyond 2 GB, the limit of an ONNX file.
        """
        graph = helper.make_graph(
            self._nodes, self._name, self._inputs, self._outputs, self._weights
        )
        opset = [helper.make_opsetid("", self._opset)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(model.SerializeToString(deterministic=True))
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
