"""Nothing below a store's root is ever a link: where one stands, it is damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store import documents
from model_store.errors import DamagedError, StoreUnreachableError
from model_store.layout import StoreLayout
from model_store.reading import (
    read_model_id,
    read_package_set,
    read_preparation,
    read_store_id,
    read_upward,
    read_version,
    refresh,
)
from tests.support.documents import (
    ENTRY,
    PACKAGE_SET,
    PREPARATION,
    PREPARATION_ID,
    REFS,
    RUNTIME,
    VERSION,
    VERSION_ID,
    write_generations,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def full(empty_store: StoreLayout) -> StoreLayout:
    """A store with one of each document that readers read."""
    model = empty_store.model("adder")
    for folder, data in (
        (model.version(VERSION_ID), VERSION.render()),
        (model.preparation(PREPARATION_ID), PREPARATION.render()),
        (empty_store.package_set(PACKAGE_SET.digest), PACKAGE_SET.render()),
    ):
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_bytes(data)
    model.model_json.write_bytes(documents.render({"format": 1, "id": REFS.model_id}))
    first = REFS._replace(generation=1)
    write_generations(model, first, newest=first)
    return empty_store


def _read_all(store: StoreLayout) -> None:
    model = store.model("adder")
    assert read_model_id(model) == REFS.model_id
    assert read_upward(model) == refresh(store, "adder", None).refs
    assert read_version(store, "adder", ENTRY) == VERSION
    assert read_preparation(store, "adder", ENTRY, RUNTIME) == PREPARATION
    assert read_package_set(store, PACKAGE_SET.digest) == PACKAGE_SET


PLACES = [
    "models",
    "models/adder",
    "models/adder/MODEL.json",
    "models/adder/refs.json",
    "models/adder/refs",
    "models/adder/refs/1.json",
    "models/adder/versions",
    f"models/adder/versions/{VERSION_ID}",
    f"models/adder/versions/{VERSION_ID}/manifest.json",
    "models/adder/preparations",
    f"models/adder/preparations/{PREPARATION_ID}",
    f"models/adder/preparations/{PREPARATION_ID}/manifest.json",
    "packages",
    f"packages/{PACKAGE_SET.digest.hex}",
    f"packages/{PACKAGE_SET.digest.hex}/manifest.json",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("target", ["beside it", "outside", "nothing"])
def test_a_link_in_the_place_of_a_file_or_folder_is_damage(
    full: StoreLayout, tmp_path: Path, place: str, target: str
) -> None:
    _read_all(full)
    if place.endswith(("refs", "refs/1.json")):
        (full.model("adder").refs_json).unlink()  # who has it looks for newer ones only
    path = full.root / place
    aside = path.with_name("aside") if target == "beside it" else tmp_path / "outside"
    path.rename(aside)
    path.symlink_to("nothing" if target == "nothing" else aside)
    with pytest.raises(DamagedError, match="is a link, or its path contains one") as caught:
        _read_all(full)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("target", ["aside.json", "nothing"])
def test_a_link_in_the_place_of_store_json_is_no_store(full: StoreLayout, target: str) -> None:
    full.store_json.rename(full.root / "aside.json")
    full.store_json.symlink_to(target)
    with pytest.raises(StoreUnreachableError, match=r"STORE\.json cannot be read: .* symbolic"):
        read_store_id(full)


def test_a_hard_link_is_a_file_like_any(full: StoreLayout, tmp_path: Path) -> None:
    model = full.model("adder")
    model.refs_json.unlink()
    model.refs_json.hardlink_to(model.generation(1))
    _read_all(full)
    (tmp_path / "mount").symlink_to(full.root)
    _read_all(StoreLayout(tmp_path / "mount"))
