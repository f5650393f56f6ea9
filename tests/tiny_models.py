"""Real ONNX models of a few bytes, made where a test needs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

OPSET = [helper.make_opsetid("", 17)]
IR_VERSION = 10


def write_adder(folder: Path, constant: float, *, name: str = "model.onnx") -> Path:
    """Write a model that answers y = x + constant; x and y are FP32 [-1, 2]."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "constant"], ["y"])],
        "adder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(np.array([constant], np.float32), "constant")],
    )
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION)
    path = folder / name
    onnx.save_model(model, str(path))
    return path


def write_external_adder(folder: Path, constants: np.ndarray, location: str) -> Path:
    """Write a model y = x + constants whose constants lie in a file beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    tensor = numpy_helper.from_array(constants.astype(np.float32), "constants")
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "constants"], ["y"])],
        "adder",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [-1, constants.size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [-1, constants.size])],
        [tensor],
    )
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION)
    initializer = model.graph.initializer[0]
    (folder / location).write_bytes(initializer.raw_data)
    onnx.external_data_helper.set_external_data(initializer, location)
    initializer.ClearField("raw_data")
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def write_identity(folder: Path, data_type: int, *, shape: list[int | str] | None) -> Path:
    """Write a model y = x of one ONNX datatype; shape None leaves the rank open."""
    folder.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "identity",
        [helper.make_tensor_value_info("x", data_type, shape)],
        [helper.make_tensor_value_info("y", data_type, shape)],
    )
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION)
    path = folder / "model.onnx"
    onnx.save_model(model, str(path))
    return path


def adder_request(x: list[float]) -> dict[str, object]:
    """An inference request for an adder: one row, or several flat ones."""
    shape = [len(x) // 2, 2]
    return {"inputs": [{"name": "x", "shape": shape, "datatype": "FP32", "data": x}]}
