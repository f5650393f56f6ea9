"""Report of the sync function on itself and its store, in any state of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.loading.loader import RUNTIME
from model_store.layout import StoreLayout
from model_store.package_set import Target
from model_store.reading import read_store_id
from model_store.release import VERSION
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., dict[str, Any]]

PROBE = {"coldpress": "probe"}


def test_it_says_what_it_is_and_what_is_published(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    for name in ("sum", "adder"):
        publish(folder, tmp_path / "store", name=name, progress=Silent())
    before = snapshot(tmp_path / "store")
    found = call(PROBE)
    assert found["coldpress"] == VERSION
    assert found["runtime"] == RUNTIME
    assert found["target"] == Target.running().to_json()
    assert found["brings"]["numpy"] == found["numpy"]
    assert found["brings"]["onnxruntime"] == found["onnxruntime"]
    assert found["settings"] == {
        "store_path": str(tmp_path / "store"),
        "models_bucket": bucket.name,
    }
    assert found["store_ids"] == [read_store_id(StoreLayout(tmp_path / "store"))]
    assert found["generations"] == {"adder": 1, "sum": 1}
    assert found["published"] == ["adder", "sum"]
    assert snapshot(tmp_path / "store") == before, "looking changes nothing"
    assert bucket.keys() == []


def test_an_empty_store_has_an_id_and_nothing_else(call: Call, tmp_path: Path) -> None:
    open_store(tmp_path / "store")
    found = call(PROBE)
    assert len(found["store_ids"]) == 1
    assert (found["generations"], found["published"]) == ({}, [])


def test_without_a_store_it_says_so_and_makes_none(call: Call, tmp_path: Path) -> None:
    found = call(PROBE)
    assert found["published"]["error"].startswith(f"there is no store at {tmp_path / 'store'}")
    assert (found["store_ids"], found["generations"]) == ([], {})
    assert found["target"] == Target.running().to_json(), "packages can be got for it all the same"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("text", ["", "{", "{}", '{"format": 9}', "[]"])
def test_a_store_that_is_damaged_is_told(call: Call, tmp_path: Path, text: str) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "STORE.json").write_text(text)
    found = call(PROBE)
    assert "STORE.json" in found["published"]["error"]
    assert (found["store_ids"], found["generations"]) == ([], {})


def test_a_model_that_is_damaged_is_told_with_the_stores_id(call: Call, tmp_path: Path) -> None:
    model = open_store(tmp_path / "store").model("adder")
    model.folder.mkdir(parents=True)
    model.refs_json.write_text("{")
    found = call(PROBE)
    assert str(model.refs_json) in found["published"]["error"]
    assert found["store_ids"] == [read_store_id(StoreLayout(tmp_path / "store"))]


def test_a_store_that_is_a_file_is_told(call: Call, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("")
    found = call(PROBE)
    assert "cannot be read: Not a directory" in found["published"]["error"]
