"""ONNX models that are hard to inspect, or that cannot be served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.support.models import IR_VERSION, OPSET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FLOAT = TensorProto.FLOAT


def value(name: str, shape: Sequence[int | str | None], data_type: int = FLOAT) -> Any:
    """A tensor's description."""
    return helper.make_tensor_value_info(name, data_type, shape)


def constant(name: str, values: Sequence[float]) -> onnx.TensorProto:
    """A float tensor."""
    return numpy_helper.from_array(np.array(values, np.float32), name)


def external(name: str, **entries: str) -> onnx.TensorProto:
    """Two floats in an external file: `location`, and other entries about the place."""
    tensor = constant(name, [1.0, 2.0])
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    return tensor


def write(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    initializers: Sequence[onnx.TensorProto] = (),
    sparse: Sequence[onnx.SparseTensorProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
    opsets: Sequence[onnx.OperatorSetIdProto] = (),
) -> Path:
    """Write a model without checking it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(
        list(nodes),
        "graph",
        list(inputs),
        list(outputs),
        list(initializers),
        sparse_initializer=list(sparse),
    )
    model = helper.make_model(
        graph,
        opset_imports=[*OPSET, *opsets],
        functions=list(functions),
        ir_version=IR_VERSION,
    )
    path.write_bytes(model.SerializeToString())
    return path


def write_adder_of(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = x + a tensor of two floats."""
    return write(
        path,
        [helper.make_node("Add", ["x", tensor.name], ["y"])],
        inputs=[value("x", [2])],
        outputs=[value("y", [2])],
        initializers=[tensor],
    )


def write_if(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = the tensor, which is an initializer of both branches of an If."""
    branch = helper.make_graph(
        [helper.make_node("Identity", [tensor.name], ["z"])],
        "branch",
        [],
        [value("z", [2])],
        [tensor],
    )
    node = helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch)
    return write(
        path, [node], inputs=[value("x", [1], TensorProto.BOOL)], outputs=[value("y", [2])]
    )


def write_loop(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = x + the tensor, which is a Constant in the body of a Loop that runs once."""
    body = helper.make_graph(
        [
            helper.make_node("Constant", [], ["c"], value=tensor),
            helper.make_node("Add", ["before", "c"], ["after"]),
            helper.make_node("Identity", ["go"], ["goes"]),
        ],
        "body",
        [
            value("i", [], TensorProto.INT64),
            value("go", [], TensorProto.BOOL),
            value("before", [2]),
        ],
        [value("goes", [], TensorProto.BOOL), value("after", [2])],
    )
    once = numpy_helper.from_array(np.array(1, np.int64), "once")
    yes = numpy_helper.from_array(np.array(True), "yes")
    return write(
        path,
        [helper.make_node("Loop", ["once", "yes", "x"], ["y"], body=body)],
        inputs=[value("x", [2])],
        outputs=[value("y", [2])],
        initializers=[once, yes],
    )


def write_constant_node(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = x + the tensor, which is the value of a Constant node."""
    return write(
        path,
        [
            helper.make_node("Constant", [], ["c"], value=tensor),
            helper.make_node("Add", ["x", "c"], ["y"]),
        ],
        inputs=[value("x", [2])],
        outputs=[value("y", [2])],
    )


def write_function(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = f(x), where the function holds the tensor in a Constant node."""
    function = helper.make_function(
        "own",
        "AddIt",
        ["a"],
        ["b"],
        [
            helper.make_node("Constant", [], ["c"], value=tensor),
            helper.make_node("Add", ["a", "c"], ["b"]),
        ],
        OPSET,
    )
    return write(
        path,
        [helper.make_node("AddIt", ["x"], ["y"], domain="own")],
        inputs=[value("x", [2])],
        outputs=[value("y", [2])],
        functions=[function],
        opsets=[helper.make_opsetid("own", 1)],
    )


def write_list_of_tensors(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = a node of someone's own, which holds the tensor in a list."""
    node = helper.make_node("Own", ["x"], ["y"], domain="own", held=[tensor])
    return write(path, [node], opsets=[helper.make_opsetid("own", 1)])


def write_list_of_graphs(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = a node of someone's own, which holds graphs in a list, the tensor in the last."""
    graphs = [
        helper.make_graph([], "empty", [], []),
        helper.make_graph([], "holder", [], [], [tensor]),
    ]
    node = helper.make_node("Own", ["x"], ["y"], domain="own", held=graphs)
    return write(path, [node], opsets=[helper.make_opsetid("own", 1)])


def write_sparse(path: Path, tensor: onnx.TensorProto) -> Path:
    """y = a sparse tensor, whose values are the tensor."""
    indices = numpy_helper.from_array(np.array([0, 2], np.int64), "indices")
    sparse = helper.make_sparse_tensor(tensor, indices, [3])
    node = helper.make_node("Identity", [tensor.name], ["y"])
    return write(path, [node], outputs=[value("y", [3])], sparse=[sparse])


def write_zipmap(path: Path, *, also: str) -> Path:
    """A sequence of maps comes out, as scikit-learn's converter exports it, and a tensor `also`."""
    output = helper.make_value_info(
        "probabilities",
        helper.make_sequence_type_proto(
            helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(FLOAT, []))
        ),
    )
    node = helper.make_node(
        "ZipMap", ["x"], ["probabilities"], domain="ai.onnx.ml", classlabels_int64s=[0, 1]
    )
    return write(
        path,
        [node, helper.make_node("Identity", ["x"], [also])],
        inputs=[value("x", [None, 2])],
        outputs=[output, value(also, [None, 2])],
        opsets=[helper.make_opsetid("ai.onnx.ml", 3)],
    )
