"""Contents are what they hold: any change makes others of them, and nothing else does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from tests.support.model_folders import PIPELINE, write_bare, write_full

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.version import VersionContent


def _stage(folder: Path, staged: Path) -> VersionContent:
    source = FolderSource(folder)
    staged.mkdir()
    return stage_contents(read_recipe(source, implied_name="adder"), source, staged, Silent())


def _other_graph(folder: Path) -> None:
    write_bare(folder, 1.000001)


def _other_pipeline(folder: Path) -> None:
    (folder / "pipeline.py").write_text(PIPELINE + "\n")


def _other_case(folder: Path) -> None:
    (folder / "golden" / "one" / "request.json").write_text("[1.0, 2.00]")


def _other_case_name(folder: Path) -> None:
    (folder / "golden" / "one").rename(folder / "golden" / "two")


def _other_tolerance(folder: Path) -> None:
    _add(folder, "rtol = 0.25\n")


def _other_name_of_the_graph(folder: Path) -> None:
    (folder / "model.onnx").rename(folder / "other.onnx")
    recipe = (folder / "model.toml").read_text()
    (folder / "model.toml").write_text(recipe.replace("model.onnx", "other.onnx"))


def _more_data(folder: Path) -> None:
    (folder / "words.txt").write_text("")
    pipeline = 'file = "pipeline.py"'
    recipe = (folder / "model.toml").read_text()
    (folder / "model.toml").write_text(
        recipe.replace(pipeline, pipeline + '\ndata = ["words.txt"]')
    )


def _add(folder: Path, line: str) -> None:
    (folder / "model.toml").write_text((folder / "model.toml").read_text() + line)


@pytest.mark.parametrize(
    "change",
    [
        _other_graph, _other_pipeline, _other_case, _other_case_name, _other_tolerance,
        _other_name_of_the_graph, _more_data,
    ],
)  # fmt: skip
def test_any_change_of_contents_changes_their_digest(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = write_full(tmp_path / "adder")
    before = _stage(folder, tmp_path / "before")
    change(folder)
    assert _stage(folder, tmp_path / "after").digest != before.digest


def test_what_is_not_published_does_not_change_the_digest(tmp_path: Path) -> None:
    folder = write_full(tmp_path / "adder")
    before = _stage(folder, tmp_path / "before")
    (folder / "notes.txt").write_text("")
    (folder / "golden" / ".DS_Store").write_text("")
    (folder / "model.onnx").chmod(0o600)
    _add(folder, "# a remark\n")
    assert _stage(folder, tmp_path / "after").digest == before.digest
