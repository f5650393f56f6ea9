"""A graph that consists mostly of weights: layers of MatMul and Relu, generated from a seed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

if TYPE_CHECKING:
    from pathlib import Path

WIDTH: Final = 1024
"""Width of every layer. The graph's input x and output y are FP32 [-1, 1024]."""

LAYER_BYTES: Final = WIDTH * WIDTH * 4


def write_heavy_model(path: Path, *, layers: int, seed: int = 0, external: bool = False) -> None:
    """Write a model of `layers` times 4 MiB; `external` puts its weights into a separate file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(seed)
    nodes, weights, previous = [], [], "x"
    for layer in range(layers):
        values = random.standard_normal((WIDTH, WIDTH), dtype=np.float32)
        weights.append(numpy_helper.from_array(values * (2 / WIDTH) ** 0.5, f"weights_{layer}"))
        following = "y" if layer == layers - 1 else f"layer_{layer}"
        nodes += [
            helper.make_node("MatMul", [previous, f"weights_{layer}"], [f"sums_{layer}"]),
            helper.make_node("Relu", [f"sums_{layer}"], [following]),
        ]
        previous = following
    graph = helper.make_graph(
        nodes,
        "heavy",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", WIDTH])],
        weights,
    )
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    if external:
        onnx.save_model(model, str(path), save_as_external_data=True, location="weights.bin")
    else:
        onnx.save_model(model, str(path))
