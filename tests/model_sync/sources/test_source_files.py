"""Files of a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_sync.errors import SourceError
from model_sync.sources.folder import FolderSource

if TYPE_CHECKING:
    from pathlib import Path


def _write(folder: Path, *paths: str) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"")


def test_all_files_are_listed_sorted(tmp_path: Path) -> None:
    _write(tmp_path, "b", "a/z", "a/b/c", "größe")
    assert FolderSource(tmp_path).files() == ("a/b/c", "a/z", "b", "größe")


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    _write(tmp_path, "a", ".hidden", ".git/config", "a.d/.b/c", "a.d/.DS_Store", "a.d/e")
    assert FolderSource(tmp_path).files() == ("a", "a.d/e")


def test_empty_folders_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert FolderSource(tmp_path).files() == ()


def test_files_below_a_folder_are_named_from_the_models(tmp_path: Path) -> None:
    _write(tmp_path, "golden/one/request.json", "other")
    assert FolderSource(tmp_path).files("golden") == ("golden/one/request.json",)


@pytest.mark.parametrize("below", ["missing", "file"])
def test_what_is_no_folder_is_refused(tmp_path: Path, below: str) -> None:
    _write(tmp_path, "file")
    with pytest.raises(SourceError, match=f"{below} is no folder"):
        FolderSource(tmp_path).files(below)


def test_a_link_to_a_folder_inside_is_followed(tmp_path: Path) -> None:
    _write(tmp_path, "a/b")
    (tmp_path / "link").symlink_to("a")
    assert FolderSource(tmp_path).files() == ("a/b", "link/b")


@pytest.mark.parametrize("outside", ["other", "model-2"])
def test_a_link_to_a_folder_outside_is_refused(tmp_path: Path, outside: str) -> None:
    _write(tmp_path, "model/file", f"{outside}/secret")
    (tmp_path / "model" / "link").symlink_to(f"../{outside}")
    with pytest.raises(SourceError, match="link leads out of the model's folder"):
        FolderSource(tmp_path / "model").files()


@pytest.mark.parametrize("outside", ["other", "model-2"])
def test_the_listed_folder_itself_may_not_lead_out(tmp_path: Path, outside: str) -> None:
    _write(tmp_path, "model/file", f"{outside}/secret")
    (tmp_path / "model" / "golden").symlink_to(f"../{outside}")
    with pytest.raises(SourceError, match="golden leads out of the model's folder"):
        FolderSource(tmp_path / "model").files("golden")


@pytest.mark.parametrize("target", [".", "..", "../sub", "../../model"])
def test_a_link_to_a_folder_that_holds_it_is_not_followed_round_and_round(
    tmp_path: Path, target: str
) -> None:
    # One such link is walked until the system has enough of it; two would be walked for ever.
    _write(tmp_path, "model/sub/file")
    (tmp_path / "model" / "sub" / "link").symlink_to(target)
    with pytest.raises(SourceError, match="links to a folder above it"):
        FolderSource(tmp_path / "model").files()


def test_folders_may_nest_as_deep_as_a_person_would_nest_them(tmp_path: Path) -> None:
    path = "/".join("abcdefghijklmnop")
    _write(tmp_path, path)
    assert FolderSource(tmp_path).files() == (path,)
