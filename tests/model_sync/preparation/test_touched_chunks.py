"""Chunks of weights that a model touches, in real sessions in separate processes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from model_store.layout import MANIFEST, StoreLayout
from model_store.names import new_id
from model_store.variant import PLAIN, Variant
from model_store.version import VersionManifest
from model_sync.graphs.inspection import inspect
from model_sync.preparation.trial import try_version
from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from tests.support.lookup_model import RECORDED, write_lookup_model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.chunks import ChunkRanges


pytestmark = pytest.mark.own_processes


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("recording")
    write_lookup_model(root / "model")
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
    assert found == {"source/weights.bin": RECORDED}


def test_without_a_case_nobody_knows_what_calls_touch_and_all_is_waited_for(
    staged: Path, tmp_path: Path
) -> None:
    manifest = VersionManifest.parse((staged / MANIFEST).read_bytes(), MANIFEST)
    folder = tmp_path / "staged"
    shutil.copytree(staged, folder)
    golden = manifest.content.golden._replace(cases=())
    content = manifest.content._replace(golden=golden)
    (folder / MANIFEST).write_bytes(manifest._replace(content=content).render())
    assert _recorded(folder, tmp_path / "result.json", {"session.disable_prepacking": "1"}) == {}


def test_weights_that_were_packed_and_let_go_are_waited_for(staged: Path, tmp_path: Path) -> None:
    found = _recorded(staged, tmp_path / "result.json", {})
    assert found == {"source/weights.bin": RECORDED}
