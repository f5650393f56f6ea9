"""A file that differs from what was published fails the load, before anything is answered."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.errors import LoadError
from inference.loading.loader import RUNTIME, load_version
from model_store.errors import StoreUnreachableError
from model_store.layout import StoreLayout
from tests.support.damage import flip_a_byte
from tests.support.models import adder_request, write_adder, write_external_adder
from tests.support.stores import entry_of, publish_folder, refs_of, version_folder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion

pytestmark = pytest.mark.store_of("full_store")

MODEL = "full"
PIPELINE = """
from pathlib import Path
CONFIG = (Path(__file__).parent / "config/labels.txt").read_text()
def decode(request): return {}
def encode(outputs, request): return CONFIG
"""


@pytest.fixture(scope="module")
def full_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with external data, a pipeline and its data."""
    root = tmp_path_factory.mktemp("full")
    folder = root / MODEL
    write_external_adder(folder, np.arange(4, dtype=np.float32), "weights.bin")
    publish_folder(root / "store", folder, pipeline=PIPELINE, data={"config/labels.txt": "a b"})
    return root / "store"


def load(store: Path) -> LoadedVersion:
    return load_version(StoreLayout(store), MODEL, 1, entry_of(store, 1, MODEL))


def refusal(store: Path) -> str:
    with pytest.raises(LoadError) as caught:
        load(store)
    message = str(caught.value)
    assert "version 1 of 'full'" in message
    assert "\n" not in message
    return message


def preparation_manifest(store: Path) -> Path:
    preparation = entry_of(store, 1, MODEL).preparations[RUNTIME]
    return StoreLayout(store).model(MODEL).preparation(preparation) / "manifest.json"


CHECKED = [
    "source/model.onnx",
    "source/weights.bin",
    "pipeline/pipeline.py",
    "pipeline/config/labels.txt",
]


def test_a_version_as_it_was_published_loads(store: Path) -> None:
    loaded = load(store)
    assert loaded.pipeline is not None
    x = np.zeros((1, 4), np.float32)
    assert loaded.run({"x": x})["y"].tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("path", CHECKED)
@pytest.mark.parametrize("at", [0, -1])
def test_one_flipped_bit_is_found(store: Path, path: str, at: int) -> None:
    flip_a_byte(version_folder(store, 1, MODEL) / path, at)
    message = refusal(store)
    assert f"{path} is damaged" in message


@pytest.mark.parametrize("path", CHECKED)
@pytest.mark.parametrize("change", ["shorter", "longer", "empty"])
def test_another_size_is_found(store: Path, path: str, change: str) -> None:
    file = version_folder(store, 1, MODEL) / path
    data = file.read_bytes()
    file.write_bytes({"shorter": data[:-1], "longer": data + b"\0", "empty": b""}[change])
    assert f"{path} is damaged" in refusal(store)


@pytest.mark.parametrize("path", [*CHECKED, "manifest.json"])
def test_a_missing_file_is_found(store: Path, path: str) -> None:
    (version_folder(store, 1, MODEL) / path).unlink()
    assert path in refusal(store)


def test_a_missing_version_is_incomplete(store: Path) -> None:
    shutil.rmtree(version_folder(store, 1, MODEL))
    assert "is incomplete" in refusal(store)


@pytest.mark.parametrize("path", CHECKED)
def test_a_link_in_a_files_place_is_not_followed(store: Path, tmp_path: Path, path: str) -> None:
    file = version_folder(store, 1, MODEL) / path
    elsewhere = tmp_path / "elsewhere"
    file.rename(elsewhere)  # the same bytes: only the link is at fault
    file.symlink_to(elsewhere)
    assert f"{path} cannot be read" in refusal(store)


@pytest.mark.parametrize("folder", ["source", "pipeline", "pipeline/config"])
def test_a_link_in_a_folders_place_is_not_followed(
    store: Path, tmp_path: Path, folder: str
) -> None:
    inside = version_folder(store, 1, MODEL) / folder
    elsewhere = tmp_path / "elsewhere"
    inside.rename(elsewhere)
    inside.symlink_to(elsewhere)
    assert "cannot be read" in refusal(store)


@pytest.mark.parametrize("place", ["the version", "its preparation"])
@pytest.mark.parametrize("part", ["the folder", "the manifest"])
def test_a_link_in_place_of_what_refs_name_is_not_followed(
    store: Path, tmp_path: Path, place: str, part: str
) -> None:
    folder = version_folder(store, 1, MODEL)
    if place == "its preparation":
        folder = preparation_manifest(store).parent
    path = folder / "manifest.json" if part == "the manifest" else folder
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "manifest.json is a link, or its path contains one" in refusal(store)


def test_a_folder_in_a_files_place_is_refused(store: Path) -> None:
    file = version_folder(store, 1, MODEL) / "source/model.onnx"
    file.unlink()
    file.mkdir()
    assert "source/model.onnx cannot be read" in refusal(store)


Change = dict[str, Any]


def rewrite(path: Path, change: Callable[[Change], None]) -> None:
    document = json.loads(path.read_bytes())
    change(document)
    path.write_text(json.dumps(document))


DAMAGED_DOCUMENTS: dict[str, Callable[[Change], object]] = {
    "another model": lambda d: d.update(model="other"),
    "another digest": lambda d: d.update(digest="sha256:" + "0" * 64),
    "an unknown key": lambda d: d.update(extra=1),
    "a key is missing": lambda d: d.pop("created_at"),
    "a newer format": lambda d: d.update(format=2),
    "another id": lambda d: d.update(id="20200101T000000Z-000000000000"),
}


@pytest.mark.parametrize("change", DAMAGED_DOCUMENTS.values(), ids=DAMAGED_DOCUMENTS)
def test_a_damaged_manifest_is_found(store: Path, change: Callable[[Change], None]) -> None:
    rewrite(version_folder(store, 1, MODEL) / "manifest.json", change)
    assert "manifest.json" in refusal(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["files"].pop(),
        lambda d: d["files"][-1].update(size_bytes=1),
        lambda d: d.update(pipeline_file=None),
    ],
)
def test_a_manifest_that_says_something_else_of_its_files_is_found(
    store: Path, change: Callable[[Change], None]
) -> None:
    rewrite(version_folder(store, 1, MODEL) / "manifest.json", change)
    assert "its contents do not match its digest" in refusal(store)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(runtime="ort-0.0.1-x86_64-p1"),
        lambda d: d.update(version_digest="sha256:" + "0" * 64),
        lambda d: d.update(chosen="other"),
        lambda d: d.update(model="other"),
        lambda d: d.pop("variants"),
    ],
)
def test_a_damaged_preparation_is_found(store: Path, change: Callable[[Change], None]) -> None:
    rewrite(preparation_manifest(store), change)
    assert "manifest.json" in refusal(store)


def test_a_preparation_that_refs_name_and_is_missing_is_found(store: Path) -> None:
    preparation_manifest(store).unlink()
    assert "is incomplete" in refusal(store)


def test_a_store_that_went_away_is_out_of_reach_and_its_version_not_at_fault(store: Path) -> None:
    entry = entry_of(store, 1, MODEL)
    store.rename(store.with_name("unmounted"))
    with pytest.raises(StoreUnreachableError):
        load_version(StoreLayout(store), MODEL, 1, entry)


def test_a_store_that_is_an_empty_mount_point_is_out_of_reach(store: Path) -> None:
    entry = refs_of(store, MODEL).versions[1]
    store.rename(store.with_name("unmounted"))
    store.mkdir()
    with pytest.raises(StoreUnreachableError):
        load_version(StoreLayout(store), MODEL, 1, entry)


def test_a_store_that_goes_away_in_the_middle_of_a_load_is_out_of_reach(store: Path) -> None:
    entry = entry_of(store, 1, MODEL)
    shutil.rmtree(version_folder(store, 1, MODEL) / "source")
    (store / "STORE.json").unlink()
    with pytest.raises(StoreUnreachableError):
        load_version(StoreLayout(store), MODEL, 1, entry)


def test_golden_cases_and_strangers_are_not_read(tmp_path: Path) -> None:
    folder, store = tmp_path / MODEL, tmp_path / "store"
    write_adder(folder, 1.0)
    (folder / "golden/one").mkdir(parents=True)
    (folder / "golden/one/request.json").write_text(json.dumps(adder_request([1.0, 2.0])))
    output = {"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [2.0, 3.0]}
    (folder / "golden/one/expected.json").write_text(json.dumps([output]))
    (folder / "model.toml").write_text('[golden]\nfolder = "golden"\n')
    publish_folder(store, folder)
    shutil.rmtree(version_folder(store, 1, MODEL) / "golden")
    (version_folder(store, 1, MODEL) / "stranger").write_text("not in the manifest")
    assert load(store).number == 1
