"""Whether a graph's weights are laid out in blocks, and how wide these are.

At its highest level, ONNX Runtime lays the filters of convolutions out in blocks of 8 or 16 floats
(NCHWc), as many as the processor's registers hold, and the kernels take them to be as wide as the
processor that they run on would have them. The graph itself does not say how wide they are. So a
probe is optimized with it, in the same process: a convolution of one channel, whose filters come
out as many as a block is wide.

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
"""The domain of the operators that work on blocks."""


def has_convolutions(graph: Path) -> bool:
    """Whether the highest level would change anything: all that it does begins at a convolution."""
    return any("Conv" in node.op_type for node in _nodes(_read(graph).graph))


def write_probe(path: Path) -> None:
    """Write the probe, not yet optimized."""
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
    """How many floats wide an optimized graph's blocks are; 0: nothing in it is in blocks.

    `probe` was optimized by the same process. Raises TrialError where it does not say.
    """
    if not any(node.domain == _BLOCKED for node in _nodes(_read(graph).graph)):
        return 0
    probed = _read(probe).graph
    filters = {tensor.name: tensor.dims[0] for tensor in probed.initializer}
    for node in probed.node:
        if node.domain == _BLOCKED and node.op_type == "Conv":
            return int(filters[node.input[1]])
    raise TrialError("its weights are in blocks, and how wide these are cannot be told")


def _read(path: Path) -> onnx.ModelProto:
    return onnx.load_model(str(path), load_external_data=False)


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node, those of graphs within nodes too."""
    for node in graph.node:
        yield node
        for inner in subgraphs_of(node):
            yield from _nodes(inner)
