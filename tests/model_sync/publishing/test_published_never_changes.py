"""Published files never change: no rename, chmod, touch, second link, or bytecode."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from inference.loading.loader import load_version
from inference.pipeline import Request
from model_store.layout import StoreLayout
from model_store.reading import refresh
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.model_folders import PIPELINE, RECIPE, write_bare, write_full
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_sync.conftest import Publish
    from tests.support.durability import Synced

IMPORTS_ITS_NEIGHBOUR = """\
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import words
"""


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> StoreLayout:
    """A store with two versions of a model, which tests only look at."""
    root = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        for constant in (1.0, 2.0):
            publish(write_full(root / "adder", constant), root / "store", progress=Silent())
    return StoreLayout(root / "store")


@pytest.fixture(autouse=True)
def _bytecode_may_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setattr("sys.dont_write_bytecode", False)


def test_later_publications_touch_nothing_of_earlier_ones(
    tmp_path: Path,
    new_store: StoreLayout,
    publish_to: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "adder"
    publish_to(write_full(folder, 1.0))
    model = new_store.model("adder")
    versions = {path: snapshot(path) for path in model.versions.iterdir()}
    preparations = {path: snapshot(path) for path in model.preparations.iterdir()}
    generation = snapshot(model.generation(1))
    publish_to(write_full(folder, 2.0))
    publish_to(write_full(folder, 1.0))
    publish_to(write_bare(tmp_path / "other"), name="other")
    monkeypatch.setattr("model_sync.publishing.publication.RUNTIME", "ort-99.0.0-x86_64-p1")
    publish_to(write_full(folder, 1.0))
    for path, before in {**versions, **preparations}.items():
        assert snapshot(path) == before
    # It was refs.json too, and is not any more; its bytes, mode and time are what they were.
    (after,) = snapshot(model.generation(1)).values()
    (was,) = generation.values()
    assert after == was._replace(links=1, ctime_ns=after.ctime_ns)


def test_every_file_but_the_newest_refs_has_one_name(two_versions: StoreLayout) -> None:
    model = two_versions.model("adder")
    linked = {
        path
        for path in two_versions.root.rglob("*")
        if stat.S_ISREG(path.lstat().st_mode) and path.stat().st_nlink != 1
    }
    assert linked == {model.refs_json, model.generation(2)}
    assert model.refs_json.stat().st_nlink == 2


def test_publishing_and_loading_leave_no_bytecode(two_versions: StoreLayout) -> None:
    before = snapshot(two_versions.models)
    entry = refresh(two_versions, "adder", None).refs.versions[2]
    assert load_version(two_versions, "adder", 2, entry).predict(Request(b"[1, 2]"))
    assert snapshot(two_versions.models) == before
    assert not list(two_versions.root.rglob("__pycache__"))


def _with_neighbour(folder: Path, pipeline: str) -> Path:
    write_bare(folder)
    (folder / "words.py").write_text("WORDS = ()\n")
    (folder / "pipeline.py").write_text(pipeline + PIPELINE)
    (folder / "model.toml").write_text(
        RECIPE + '[pipeline]\nfile = "pipeline.py"\ndata = ["words.py"]\n'
    )
    return folder


def _files(store: StoreLayout) -> set[str]:
    (version,) = store.model("adder").versions.iterdir()
    return {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}


def test_trying_a_pipeline_that_imports_its_neighbour_leaves_no_bytecode(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    publish_to(_with_neighbour(tmp_path / "adder", IMPORTS_ITS_NEIGHBOUR))
    expected = {"manifest.json", "pipeline/pipeline.py", "pipeline/words.py", "source/model.onnx"}
    assert _files(new_store) == expected


def test_a_folder_is_whole_and_durable_before_it_appears_and_before_it_is_named(
    tmp_path: Path,
    new_store: StoreLayout,
    publish_to: Publish,
    synced: Synced,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rename, link = os.rename, os.link
    seen: list[str] = []

    def renaming(source: Path, target: Path) -> None:
        if target not in {new_store.root, new_store.model("adder").refs_json}:
            assert synced.lacking(source) == []
            assert (source / "manifest.json").is_file()
            seen.append(target.parent.name)
        rename(source, target)

    def linking(source: Path, target: Path) -> None:
        if target.parent.name == "refs":
            # What a generation names must be there for good before the generation is.
            lacking = synced.lacking(new_store.models)
            assert [path for path in lacking if path != str(target.parent)] == []
            assert synced.lacking(source) == []
            seen.append(target.name)
        link(source, target)

    monkeypatch.setattr(os, "rename", renaming)
    monkeypatch.setattr(os, "link", linking)
    publish_to(write_full(tmp_path / "adder", 1.0))
    publish_to(write_full(tmp_path / "adder", 2.0))
    assert seen == ["preparations", "versions", "1.json", "preparations", "versions", "2.json"]
