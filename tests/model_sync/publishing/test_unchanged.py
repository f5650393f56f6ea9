"""Unchanged contents, found by reading alone: the same decision as by copying."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_store.digests import Digest
from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.publishing.unchanged import is_unchanged
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from tests.support.model_folders import write_full
from tests.support.models import write_adder, write_external_adder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.version import VersionContent


def write_external(folder: Path) -> Path:
    write_external_adder(folder, np.arange(1000), "weights.bin")
    return folder


def published(folder: Path) -> VersionContent:
    """Return the folder's contents, found by copying them."""
    source, staged = FolderSource(folder), folder.with_name("staged")
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    return stage_contents(read_recipe(source, implied_name="adder"), source, staged, Silent())


def same(folder: Path, content: VersionContent, packages: Digest | None = None) -> bool:
    source = FolderSource(folder)
    recipe = read_recipe(source, implied_name="adder")
    return is_unchanged(source, recipe, packages, content, Silent())


@pytest.mark.parametrize("write", [write_full, write_external], ids=["full", "external"])
def test_a_folder_that_nobody_touched_holds_what_was_published(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    folder = write(tmp_path / "adder")
    assert same(folder, published(folder))


def _replace(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new))


def _first(folder: Path, pattern: str) -> Path:
    return next(iter(sorted(folder.glob(pattern))))


OTHER: dict[str, Callable[[Path], object]] = {
    "another graph": lambda folder: write_adder(folder, 77.0),
    "another pipeline of the same size": lambda folder: _replace(
        folder / "pipeline.py", b"import", b"#mport"
    ),
    "another pipeline": lambda folder: (folder / "pipeline.py").write_text("#"),
    "no pipeline": lambda folder: (folder / "pipeline.py").unlink(),
    "another request": lambda folder: _first(folder, "golden/*/request.*").write_text("[9]"),
    "one golden case more": lambda folder: shutil.copytree(
        _first(folder, "golden/*"), folder / "golden" / "more"
    ),
    "no golden cases": lambda folder: shutil.rmtree(folder / "golden"),
    "another tolerance": lambda folder: _replace(
        folder / "model.toml", b"[golden]\n", b"[golden]\nrtol = 0.5\n"
    ),
}


@pytest.mark.parametrize("change", OTHER)
def test_a_folder_in_which_anything_differs_does_not(tmp_path: Path, change: str) -> None:
    folder = write_full(tmp_path / "adder")
    content = published(folder)
    OTHER[change](folder)
    assert not same(folder, content)


EXTERNAL: dict[str, Callable[[Path], object]] = {
    "other weights of the same size": lambda folder: (folder / "weights.bin").write_bytes(
        bytes((folder / "weights.bin").stat().st_size)
    ),
    "no weights": lambda folder: (folder / "weights.bin").unlink(),
    "a stranger beside them": lambda folder: (folder / "words.txt").write_text(""),
    "a second graph": lambda folder: write_adder(folder, 1.0, name="other.onnx"),
}


@pytest.mark.parametrize("change", EXTERNAL)
def test_external_data_are_compared_and_what_is_refused_is_not_the_same(
    tmp_path: Path, change: str
) -> None:
    folder = write_external(tmp_path / "adder")
    content = published(folder)
    EXTERNAL[change](folder)
    assert not same(folder, content)


def test_other_packages_are_other_contents(tmp_path: Path) -> None:
    folder = write_full(tmp_path / "adder")
    assert not same(folder, published(folder), Digest.of_bytes(b"a set"))


def test_reading_ends_at_the_first_file_that_differs(tmp_path: Path) -> None:
    folder = write_external(tmp_path / "adder")
    content = published(folder)
    write_external_adder(folder, np.arange(1000) + 1.0, "weights.bin")
    _replace(folder / "model.onnx", b"adder", b"rdder")

    class Counting(Silent):
        read = 0

        def advance(self, n_bytes: int) -> None:
            self.read += n_bytes

    source, progress = FolderSource(folder), Counting()
    recipe = read_recipe(source, implied_name="adder")
    assert not is_unchanged(source, recipe, None, content, progress)
    assert progress.read == (folder / "model.onnx").stat().st_size
