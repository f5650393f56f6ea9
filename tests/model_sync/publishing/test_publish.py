"""A folder becomes a version that readers see, with everything that serving it needs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inference.loading.loader import RUNTIME, load_version
from inference.pipeline import Request
from model_store.files import check_file
from model_store.layout import StoreLayout
from model_store.reading import read_model_id, read_preparation, read_version, refresh
from model_store.refs import LATEST, State
from model_store.signature import Signature, TensorSpec
from model_store.variant import PLAIN
from model_sync.progress import Silent
from model_sync.publishing.publication import PublishResult
from model_sync.publishing.publish import publish
from tests.support.model_folders import write_bare, write_full
from tests.support.models import write_external_adder
from tests.support.snapshots import FILE, FOLDER, ids_in, modes

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.refs import Refs
    from tests.model_sync.conftest import Publish
    from tests.support.durability import Synced


@pytest.fixture(scope="module")
def full_publication(tmp_path_factory: pytest.TempPathFactory) -> tuple[StoreLayout, PublishResult]:
    """A store with one version of a model that has everything; tests only look at it."""
    root = tmp_path_factory.mktemp("published")
    folder = write_full(root / "adder", 2.5)
    (folder / "notes.txt").write_text("not published: nobody said what for")
    told = publish(folder, root / "store", progress=Silent(), reason="a better one")
    return StoreLayout(root / "store"), told


def _refs(store: StoreLayout, name: str = "adder") -> Refs:
    return refresh(store, name, None).refs


def test_a_publication_says_what_it_came_to(
    full_publication: tuple[StoreLayout, PublishResult],
) -> None:
    store, told = full_publication
    assert told == PublishResult(
        model="adder",
        version=1,
        digest=str(_refs(store).versions[1].digest),
        created=True,
        changed=True,
        labels=(LATEST,),
        generation=1,
        variant=PLAIN,
    )


def test_readers_see_the_version_and_who_made_it_and_why(
    full_publication: tuple[StoreLayout, PublishResult],
) -> None:
    store, _ = full_publication
    refs = _refs(store)
    assert refs.labels == {LATEST: 1}
    assert refs.model_id == read_model_id(store.model("adder"))
    assert refs.versions[1].state is State.AVAILABLE
    assert (refs.versions[1].retired_at, refs.versions[1].sweep_after) == (None, None)
    assert (refs.change.verb, refs.change.reason) == ("publish", "a better one")
    assert "@" in refs.change.who


def test_a_version_holds_its_files_and_says_so(
    full_publication: tuple[StoreLayout, PublishResult],
) -> None:
    store, _ = full_publication
    entry = _refs(store).versions[1]
    manifest = read_version(store, "adder", entry)
    version = store.model("adder").version(entry.id)
    assert [file.path for file in manifest.content.files] == [
        "golden/one/expected.json",
        "golden/one/request.json",
        "pipeline/pipeline.py",
        "source/model.onnx",
    ]
    there = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert there == {file.path for file in manifest.content.files} | {"manifest.json"}
    for file in manifest.content.files:
        check_file(version, file)
    assert entry.size_bytes == manifest.content.size_bytes
    assert manifest.content.golden == (("one",), 1e-5, 1e-6)
    assert manifest.signature == Signature(
        (TensorSpec("x", "FP32", (-1, 2)),), (TensorSpec("y", "FP32", (-1, 2)),)
    )


def test_a_preparation_says_what_it_was_made_of(
    full_publication: tuple[StoreLayout, PublishResult],
) -> None:
    store, _ = full_publication
    entry = _refs(store).versions[1]
    preparation = read_preparation(store, "adder", entry, RUNTIME)
    assert preparation
    assert preparation.version_id == entry.id
    assert preparation.variant.graph == "source/model.onnx"
    assert preparation.measurement.load_ms > 0
    assert ids_in(store.model("adder")) == ({entry.id}, {preparation.id})


def test_what_was_published_answers(full_publication: tuple[StoreLayout, PublishResult]) -> None:
    store, _ = full_publication
    loaded = load_version(store, "adder", 1, _refs(store).versions[1])
    answer = loaded.run({"x": np.array([[1, 2]], np.float32)})
    assert answer["y"].tolist() == [[3.5, 4.5]]
    assert json.loads(loaded.predict(Request(b"[1, 2]")).body) == {"y": [3.5, 4.5]}


def test_external_data_lie_beside_their_graph_wherever_that_lay(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = tmp_path / "adder"
    write_external_adder(folder / "build", np.array([1.0, 2.0]), "weights.bin")
    (folder / "model.toml").write_text('[model]\nfile = "build/model.onnx"\n')
    publish_to(folder)
    entry = _refs(new_store).versions[1]
    files = read_version(new_store, "adder", entry).content.files
    assert [file.path for file in files] == ["source/model.onnx", "source/weights.bin"]
    loaded = load_version(new_store, "adder", 1, entry)
    assert loaded.run({"x": np.zeros((1, 2), np.float32)})["y"].tolist() == [[1.0, 2.0]]


def test_links_inside_the_folder_are_published_as_what_they_point_at(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_bare(tmp_path / "adder")
    (folder / "model.onnx").rename(folder / ".kept.onnx")
    (folder / "model.onnx").symlink_to(".kept.onnx")
    publish_to(folder)
    assert not any(path.is_symlink() for path in new_store.models.rglob("*"))
    assert load_version(new_store, "adder", 1, _refs(new_store).versions[1])


@pytest.mark.usefixtures("umask")
def test_everyone_may_read_what_was_published_whatever_the_umask(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish
) -> None:
    folder = write_full(tmp_path / "adder")
    (folder / "model.onnx").chmod(0o600)
    publish_to(folder)
    expected = {
        str(path.relative_to(new_store.root)): FOLDER if path.is_dir() else FILE
        for path in new_store.root.rglob("*")
    }
    assert modes(new_store.root) == expected
    assert new_store.root.stat().st_mode & 0o7777 == FOLDER


def test_what_was_published_is_durable(
    tmp_path: Path, new_store: StoreLayout, publish_to: Publish, synced: Synced
) -> None:
    publish_to(write_full(tmp_path / "adder"))
    publish_to(write_full(tmp_path / "adder", 2.0))
    assert synced.lacking(new_store.models) == []
    assert synced.lacking(new_store.store_json) == []
