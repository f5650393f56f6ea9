"""Real ONNX models whose outputs are no tensors: maps and sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import onnx
from onnx import TensorProto, helper

from tests.support.models import IR_VERSION, OPSET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_ML = helper.make_opsetid("ai.onnx.ml", 3)
_FLOAT = helper.make_tensor_type_proto(TensorProto.FLOAT, [])


def write_classifier(folder: Path, classes: Sequence[int] | Sequence[str]) -> Path:
    """Write what scikit-learn's converter makes of a linear classifier of two features.

    Out come `label` and, through ZipMap, `probabilities`: a sequence of maps from class to score.
    The score of class number n is x[0] + n * x[1].
    """
    strings = isinstance(classes[0], str)
    named: dict[str, Any] = {
        "classlabels_strings" if strings else "classlabels_ints": list(classes),
        "coefficients": [part for n in range(len(classes)) for part in (1.0, float(n))],
        "intercepts": [0.0] * len(classes),
    }
    classifier = helper.make_node(
        "LinearClassifier", ["x"], ["label", "scores"], domain="ai.onnx.ml", **named
    )
    keys: dict[str, Any] = {
        "classlabels_strings" if strings else "classlabels_int64s": list(classes)
    }
    zipped = helper.make_node("ZipMap", ["scores"], ["probabilities"], domain="ai.onnx.ml", **keys)
    kind = TensorProto.STRING if strings else TensorProto.INT64
    maps = helper.make_sequence_type_proto(helper.make_map_type_proto(kind, _FLOAT))
    outputs = [
        helper.make_tensor_value_info("label", kind, ["n"]),
        helper.make_value_info("probabilities", maps),
    ]
    return _write(folder, [classifier, zipped], _x(["n", 2]), outputs)


def write_pieces(folder: Path, *, size: int, kind: int = TensorProto.FLOAT) -> Path:
    """Write `pieces`: x [n, 2] cut into tensors of `size` rows, in a sequence."""
    sizes = helper.make_tensor("size", TensorProto.INT64, [], [size])
    node = helper.make_node("SplitToSequence", ["x", "size"], ["pieces"], axis=0)
    element = helper.make_tensor_type_proto(kind, [None, 2])
    pieces = helper.make_value_info("pieces", helper.make_sequence_type_proto(element))
    return _write(folder, [node], _x(["n", 2], kind), [pieces], [sizes])


def write_no_pieces(folder: Path) -> Path:
    """Write `pieces`: an empty sequence of tensors of two columns, and y = x beside it."""
    nodes = [
        helper.make_node("SequenceEmpty", [], ["pieces"]),
        helper.make_node("Identity", ["x"], ["y"]),
    ]
    element = helper.make_tensor_type_proto(TensorProto.FLOAT, [None, 2])
    pieces = helper.make_value_info("pieces", helper.make_sequence_type_proto(element))
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])
    return _write(folder, nodes, _x(["n", 2]), [pieces, y])


def _x(shape: list[int | str], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info("x", kind, shape)


def _write(
    folder: Path,
    nodes: Sequence[onnx.NodeProto],
    taken: onnx.ValueInfoProto,
    outputs: Sequence[onnx.ValueInfoProto],
    initializers: Sequence[onnx.TensorProto] = (),
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    graph = helper.make_graph(list(nodes), "nested", [taken], list(outputs), list(initializers))
    model = helper.make_model(graph, opset_imports=[*OPSET, _ML], ir_version=IR_VERSION)
    path = folder / "model.onnx"
    onnx.save_model(model, str(path))
    return path
