"""Real ONNX models of a few bytes, made where a test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Shape = list[int | str] | None

OPSET = [helper.make_opsetid("", 17)]
IR_VERSION = 10


def write_graph(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, tuple[int, Shape]],
    *,
    constants: Mapping[str, np.ndarray] | None = None,
    graph: str = "graph",
    name: str = "model.onnx",
) -> Path:
    """Write a graph of these nodes; inputs and outputs are ONNX datatypes and shapes by name."""
    folder.mkdir(parents=True, exist_ok=True)
    taken, given = (
        [helper.make_tensor_value_info(name, *described) for name, described in side.items()]
        for side in (inputs, outputs)
    )
    initializers = [numpy_helper.from_array(array, at) for at, array in (constants or {}).items()]
    made = helper.make_graph(nodes, graph, taken, given, initializers)
    path = folder / name
    onnx.save_model(helper.make_model(made, opset_imports=OPSET, ir_version=IR_VERSION), str(path))
    return path


def write_adder(folder: Path, constant: float, *, name: str = "model.onnx") -> Path:
    """Write a model that answers y = x + constant; x and y are FP32 [-1, 2]."""
    return write_graph(
        folder,
        [helper.make_node("Add", ["x", "constant"], ["y"])],
        {"x": (TensorProto.FLOAT, ["batch", 2])},
        {"y": (TensorProto.FLOAT, ["batch", 2])},
        constants={"constant": np.array([constant], np.float32)},
        graph="adder",
        name=name,
    )


def write_external_adder(folder: Path, constants: np.ndarray, location: str) -> Path:
    """Write a model y = x + constants whose constants are in an external file."""
    path = write_graph(
        folder,
        [helper.make_node("Add", ["x", "constants"], ["y"])],
        {"x": (TensorProto.FLOAT, [-1, constants.size])},
        {"y": (TensorProto.FLOAT, [-1, constants.size])},
        constants={"constants": constants.astype(np.float32)},
        graph="adder",
    )
    model = onnx.load(str(path))
    initializer = model.graph.initializer[0]
    (folder / location).write_bytes(initializer.raw_data)
    onnx.external_data_helper.set_external_data(initializer, location)
    initializer.ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    return path


def write_identity(folder: Path, data_type: int, *, shape: Shape) -> Path:
    """Write a model y = x of one ONNX datatype; shape None leaves the rank open."""
    return write_graph(
        folder,
        [helper.make_node("Identity", ["x"], ["y"])],
        {"x": (data_type, shape)},
        {"y": (data_type, shape)},
        graph="identity",
    )


def write_identities(folder: Path, data_types: Mapping[str, int]) -> Path:
    """Write `out_<key> = in_<key>` for each datatype, of three dynamic sizes."""
    shape: Shape = [-1, -1, -1]
    return write_graph(
        folder,
        [helper.make_node("Identity", [f"in_{key}"], [f"out_{key}"]) for key in data_types],
        {f"in_{key}": (data_type, shape) for key, data_type in data_types.items()},
        {f"out_{key}": (data_type, shape) for key, data_type in data_types.items()},
    )


def write_pair(folder: Path) -> Path:
    """Write y = a and z = b, all FP32 of two dynamic sizes."""
    shape: Shape = [-1, -1]
    return write_graph(
        folder,
        [helper.make_node("Identity", [a], [y]) for a, y in ("ay", "bz")],
        dict.fromkeys("ab", (TensorProto.FLOAT, shape)),
        dict.fromkeys("yz", (TensorProto.FLOAT, shape)),
    )


def write_sum(folder: Path) -> Path:
    """Write y = a + b, all FP32 of two dynamic sizes: not all a and b fit each other."""
    shape: Shape = [-1, -1]
    return write_graph(
        folder,
        [helper.make_node("Add", ["a", "b"], ["y"])],
        dict.fromkeys("ab", (TensorProto.FLOAT, shape)),
        {"y": (TensorProto.FLOAT, shape)},
    )


def write_reciprocal(folder: Path) -> Path:
    """Write y = 1 / x and z = -x: not every answer is finite."""
    shape: Shape = [-1]
    return write_graph(
        folder,
        [helper.make_node("Reciprocal", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["z"])],
        {"x": (TensorProto.FLOAT, shape)},
        dict.fromkeys("yz", (TensorProto.FLOAT, shape)),
    )


def write_gather(folder: Path) -> Path:
    """Write y = data[x]: an index may be out of range."""
    return write_graph(
        folder,
        [helper.make_node("Gather", ["data", "x"], ["y"])],
        {"data": (TensorProto.FLOAT, [3]), "x": (TensorProto.INT64, [-1])},
        {"y": (TensorProto.FLOAT, [-1])},
    )


def write_zeros(folder: Path) -> Path:
    """Write y = x zeros: there may be no memory for so many."""
    return write_graph(
        folder,
        [helper.make_node("ConstantOfShape", ["x"], ["y"])],
        {"x": (TensorProto.INT64, [1])},
        {"y": (TensorProto.FLOAT, [-1])},
    )


def adder_request(x: list[float]) -> dict[str, object]:
    """An inference request for an adder: one row, or several flat ones."""
    shape = [len(x) // 2, 2]
    return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": x}]}
