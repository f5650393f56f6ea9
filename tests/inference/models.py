"""Further real ONNX models of a few bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import onnx
from onnx import TensorProto, helper

from tests.tiny_models import IR_VERSION, OPSET

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Shape = list[int | str] | None


def write_graph(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, tuple[int, Shape]],
    outputs: Mapping[str, tuple[int, Shape]],
) -> Path:
    """Write a graph of these nodes; inputs and outputs are ONNX datatypes and shapes by name."""
    folder.mkdir(parents=True, exist_ok=True)
    taken, given = (
        [helper.make_tensor_value_info(name, *described) for name, described in side.items()]
        for side in (inputs, outputs)
    )
    graph = helper.make_graph(nodes, "graph", taken, given)
    path = folder / "model.onnx"
    onnx.save_model(helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION), str(path))
    return path


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
