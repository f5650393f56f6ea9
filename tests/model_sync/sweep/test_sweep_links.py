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


def test_links_inside_what_is_deleted_go_alone(sweepable: Sweepable, outside: Path) -> None:
    before = snapshot(outside)
    folder = sweepable.layout.root / "staging" / new_id()
    (folder / "inner").mkdir(parents=True)
    (folder / "folder").symlink_to(outside)
    (folder / "inner" / "file").symlink_to(outside / "manifest.json")
    found = sweepable.sweep(2)
    assert found["failures"] == []
    assert not folder.exists()
    assert snapshot(outside) == before


@pytest.mark.parametrize("place", ["staging", "trash", "packages", "models/adder/versions"])
def test_a_link_in_the_place_of_a_folder_is_reported_and_not_followed(
    sweepable: Sweepable, outside: Path, place: str
) -> None:
    sweepable.retired()
    before = snapshot(outside)
    folder = sweepable.layout.root / place
    if folder.exists():
        folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(outside)
    found = sweepable.sweep(2) if place != "staging" else sweepable.sweep(2, dry_run=True)
    assert [each["what"].split("/")[0] for each in found["failures"]]
    assert snapshot(outside) == before


def test_a_version_that_is_a_link_is_deleted_as_one(sweepable: Sweepable, outside: Path) -> None:
    number = sweepable.retired()
    before = snapshot(outside)
    folder = sweepable.model().version(sweepable.refs().versions[number].id)
    folder.rename(outside.parent / "moved")
    folder.symlink_to(outside)
    sweepable.sweep(2)
    assert not folder.is_symlink()
    assert snapshot(outside) == before


def test_a_model_that_is_a_link_is_reported(sweepable: Sweepable, outside: Path) -> None:
    sweepable.retired()
    (sweepable.layout.models / "linked").symlink_to(outside)
    before = snapshot(outside)
    found = sweepable.sweep(2)
    assert [each["what"] for each in found["failures"]] == ["models/linked"]
    assert len(found["deleted"]) == 1, "the rest goes on"
    assert snapshot(outside) == before
