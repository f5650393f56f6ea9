"""Blocked layout of convolution weights: detect it, and measure its block width.

At its highest level, ONNX Runtime lays out the filters of convolutions in blocks (NCHWc) of 8 or 16
floats, as many as fit into a register of the processor. The kernels assume the block width of the
processor that they run on; the graph does not state its own. So a probe graph is optimized in the
same process: after optimization, the number of filters of its one-channel convolution is the block
width.

Source: onnxruntime/core/optimizer/nchwc_transformer.cc; MlasNchwcGetBlockSize.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import onnx
from onnx import TensorProto, helper

from model_sync.errors import TrialError
from model_sync.graphs.subgraphs import subgraphs_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCKED: Final = "com.microsoft.nchwc"
"""Domain of the operators that work on blocks."""


def has_convolutions(graph: Path) -> bool:
    """Return True if the graph has convolutions; without them the highest level has no effect."""
    return any("Conv" in node.op_type for node in _nodes(_read(graph).graph))


def write_probe(path: Path) -> None:
    """Write the probe graph, not yet optimized."""
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "filter"], ["y"])],
        "probe",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 1, 1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 1, 1])],
        [helper.make_tensor("filter", TensorProto.FLOAT, [1, 1, 1, 1], [1.0])],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save_model(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def block_width_of(graph: Path, probe: Path) -> int:
    """Return the block width of an optimized graph in floats; 0 if it has no blocks.

    `probe` was optimized by the same process. Raises TrialError if the probe has no blocks.
    """
    if not any(node.domain == _BLOCKED for node in _nodes(_read(graph).graph)):
        return 0
    probed = _read(probe).graph
    filters = {tensor.name: tensor.dims[0] for tensor in probed.initializer}
    for node in probed.node:
        if node.domain == _BLOCKED and node.op_type == "Conv":
            return int(filters[node.input[1]])
    raise TrialError("its weights are in blocks of unknown width")


def _read(path: Path) -> onnx.ModelProto:
    return onnx.load_model(str(path), load_external_data=False)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Yield every node, including the nodes of subgraphs."""
    for node in graph.node:
        yield node
        for inner in subgraphs_of(node):
            yield from _nodes(inner)
