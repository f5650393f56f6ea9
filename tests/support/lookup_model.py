"""A model most of whose weights no golden case touches: rows of a table without a lookup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from model_store.chunks import CHUNK_BYTES

if TYPE_CHECKING:
    from pathlib import Path

LOOKUP: Final = "lookup"
WIDTH: Final = 1024
ROWS: Final = 8 * CHUNK_BYTES // (WIDTH * 4)
"""Eight chunks of rows, of which the golden case looks two up, in the third and the sixth."""
LOOKED_UP: Final = [2 * ROWS // 8 + ROWS // 16, 5 * ROWS // 8 + ROWS // 16]


RECORDED: Final = ((2, 1), (5, 1), (8, 2))
"""What its golden case touches of `weights.bin`, in chunks: two rows, and the matrix behind."""


def write_lookup_model(folder: Path) -> None:
    """Write a model's folder: its graph, its weights in a file of their own, and one case."""
    table = numpy_helper.from_array(np.ones((ROWS, WIDTH), np.float32), "table")
    weights = numpy_helper.from_array(np.ones((WIDTH, 2 * WIDTH), np.float32), "weights")
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["rows"]),
            helper.make_node("MatMul", ["rows", "weights"], ["y"]),
        ],
        "lookup",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, [2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 2 * WIDTH])],
        [table, weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    folder.mkdir(parents=True)
    onnx.save_model(
        model, folder / "model.onnx", save_as_external_data=True, location="weights.bin"
    )
    (folder / "model.toml").write_text('name = "lookup"\n[golden]\nfolder = "golden"\n')
    case = folder / "golden" / "two"
    case.mkdir(parents=True)
    (case / "request.json").write_text(
        f'{{"inputs": [{{"name": "ids", "datatype": "INT64", "shape": [2], "data": {LOOKED_UP}}}]}}'
    )
    row = [float(WIDTH)] * 2 * WIDTH
    (case / "expected.json").write_text(
        f'{{"outputs": [{{"name": "y", "datatype": "FP32", "shape": [2, {2 * WIDTH}], '
        f'"data": {row + row}}}]}}'
    )
