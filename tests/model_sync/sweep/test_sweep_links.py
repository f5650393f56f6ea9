"""Deleting never leaves the store: a link goes, or is refused; what it leads to stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.names import new_id
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sweepable import Sweepable


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Folders and files that are no part of the store, with ids of long ago."""
    folder = tmp_path / "outside"
    (folder / "20200101T000000Z-0123456789ab" / "deep").mkdir(parents=True)
    (folder / "20200101T000000Z-0123456789ab" / "deep" / "file").write_bytes(b"dear")
    (folder / "manifest.json").write_bytes(b"{}")
    return folder


def test_links_inside_what_is_deleted_go_alone(store: Sweepable, outside: Path) -> None:
    before = snapshot(outside)
    folder = store.layout.root / "staging" / new_id()
    (folder / "inner").mkdir(parents=True)
    (folder / "folder").symlink_to(outside)
    (folder / "inner" / "file").symlink_to(outside / "manifest.json")
    found = store.sweep(2)
    assert found["failures"] == []
    assert not folder.exists()
    assert snapshot(outside) == before


@pytest.mark.parametrize("place", ["staging", "trash", "packages", "models/adder/versions"])
def test_a_link_in_the_place_of_a_folder_is_reported_and_not_followed(
    store: Sweepable, outside: Path, place: str
) -> None:
    store.retired()
    before = snapshot(outside)
    folder = store.layout.root / place
    if folder.exists():
        folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(outside)
    found = store.sweep(2) if place != "staging" else store.sweep(2, dry_run=True)
    assert [each["what"].split("/")[0] for each in found["failures"]]
    assert snapshot(outside) == before


def test_a_version_that_is_a_link_is_deleted_as_one(store: Sweepable, outside: Path) -> None:
    number = store.retired()
    before = snapshot(outside)
    folder = store.model().version(store.refs().versions[number].id)
    folder.rename(outside.parent / "moved")
    folder.symlink_to(outside)
    store.sweep(2)
    assert not folder.is_symlink()
    assert snapshot(outside) == before


def test_a_model_that_is_a_link_is_reported(store: Sweepable, outside: Path) -> None:
    store.retired()
    (store.layout.models / "linked").symlink_to(outside)
    before = snapshot(outside)
    found = store.sweep(2)
    assert [each["what"] for each in found["failures"]] == ["models/linked"]
    assert len(found["deleted"]) == 1, "the rest goes on"
    assert snapshot(outside) == before
