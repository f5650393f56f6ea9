"""Which chunks of its weights a model touches, in real sessions in processes of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from model_store.chunks import CHUNK_BYTES
from model_store.layout import MANIFEST, StoreLayout
from model_store.names import new_id
from model_store.variant import PLAIN, Variant
from model_store.version import VersionManifest
from model_sync.contents import stage_contents
from model_sync.inspection import inspect
from model_sync.progress import Silent
from model_sync.recipe import read_recipe
from model_sync.source import FolderSource
from model_sync.trial import try_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.chunks import ChunkRanges

WIDTH = 1024
ROWS = 8 * CHUNK_BYTES // (WIDTH * 4)
"""Eight chunks of rows, of which the golden case looks two up, in the third and the sixth."""
LOOKED_UP = [2 * ROWS // 8 + ROWS // 16, 5 * ROWS // 8 + ROWS // 16]


def _write_model(folder: Path) -> None:
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


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recording")
    _write_model(root / "model")
    folder = root / "staged"
    folder.mkdir()
    files = FolderSource(root / "model")
    content = stage_contents(read_recipe(files, implied_name="lookup"), files, folder, Silent())
    signature = inspect(folder / content.model_file, content.model_file)
    manifest = VersionManifest("lookup", new_id(), "2026-01-01T00:00:00Z", signature, content)
    (folder / MANIFEST).write_bytes(manifest.render())
    return folder


def _recorded(staged: Path, result: Path, config: Mapping[str, str]) -> Mapping[str, ChunkRanges]:
    variant = Variant(PLAIN, "source/model.onnx", config, None)
    layout = StoreLayout(staged.parent / "store")
    return try_version(staged, result, layout=layout, variant=variant).recorded


def test_rows_that_no_case_looks_up_are_not_waited_for(staged: Path, tmp_path: Path) -> None:
    found = _recorded(staged, tmp_path / "result.json", {"session.disable_prepacking": "1"})
    assert found == {"source/weights.bin": ((2, 1), (5, 1), (8, 2))}


def test_weights_that_were_packed_and_let_go_are_waited_for(staged: Path, tmp_path: Path) -> None:
    found = _recorded(staged, tmp_path / "result.json", {})
    assert found == {"source/weights.bin": ((2, 1), (5, 1), (8, 2))}
