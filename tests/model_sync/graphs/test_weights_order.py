"""Weights in the order of use: the same graph, answering the same, its file read front to back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from model_sync.graphs.weights_order import order_weights

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WEIGHTS = "weights.bin"
SIDE = 48


def _weights(seed: int) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal((SIDE, SIDE), np.float32)


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """Three consecutive products, whose weights are stored in reverse order; one inside If."""
    names = ["c", "b", "a"]
    inner = helper.make_graph(
        [helper.make_node("MatMul", ["ax", "inner"], ["either"])],
        "inner",
        [],
        [helper.make_tensor_value_info("either", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(_weights(9), "inner")],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "a"], ["ax"]),
        helper.make_node("If", ["yes"], ["ix"], then_branch=inner, else_branch=inner),
        helper.make_node("MatMul", ["ix", "b"], ["bx"]),
        helper.make_node("Add", ["bx", "tiny"], ["tx"]),
        helper.make_node("MatMul", ["tx", "c"], ["y"]),
    ]
    made = helper.make_graph(
        nodes,
        "three",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, SIDE])],
        [
            *(numpy_helper.from_array(_weights(ord(name)), name) for name in names),
            numpy_helper.from_array(np.ones(SIDE, np.float32), "tiny"),
            numpy_helper.from_array(np.array(True), "yes"),
        ],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path = tmp_path / "model.onnx"
    onnx.save_model(
        model, path, save_as_external_data=True, location=WEIGHTS, size_threshold=SIDE * 4
    )
    return path


def _answer(graph: Path) -> NDArray[Any]:
    session = onnxruntime.InferenceSession(str(graph), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"x": np.ones((1, SIDE), np.float32)})[0])


def _offsets(graph: Path) -> dict[str, int]:
    model = onnx.load(graph, load_external_data=False)
    branches = [attribute.g for node in model.graph.node for attribute in node.attribute]
    return {
        tensor.name: int(entry.value)
        for each in (model.graph, *branches)
        for tensor in each.initializer
        for entry in tensor.external_data
        if entry.key == "offset"
    }


def test_weights_lie_as_nodes_use_them_and_answers_stay(graph: Path) -> None:
    before = _answer(graph)
    assert min(_offsets(graph).items(), key=lambda each: each[1])[0] == "c"
    order_weights(graph, WEIGHTS)
    offsets = _offsets(graph)
    names = sorted(offsets, key=lambda name: offsets[name])
    assert names == ["a", "inner", "b", "tiny", "c"]
    assert all(offset % 4096 == 0 for name, offset in offsets.items() if name != "tiny")
    np.testing.assert_array_equal(_answer(graph), before)
    assert sorted(path.name for path in graph.parent.iterdir()) == ["model.onnx", WEIGHTS]


def test_a_graph_whose_weights_are_its_own_or_lie_elsewhere_is_left_as_it_is(graph: Path) -> None:
    data = graph.read_bytes()
    order_weights(graph, "other.bin")
    assert graph.read_bytes() == data


def test_weights_cut_short_are_no_weights(graph: Path) -> None:
    weights = graph.with_name(WEIGHTS)
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(OSError, match=r"weights\.bin ends before"):
        order_weights(graph, WEIGHTS)
