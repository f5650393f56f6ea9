from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_sync.store_io import durable
from tests.support.snapshots import FILE, FOLDER, modes, snapshot

if TYPE_CHECKING:
    from tests.support.durability import Synced


@pytest.mark.usefixtures("umask")
def test_folders_are_made_down_to_the_last_each_durable(tmp_path: Path, synced: Synced) -> None:
    durable.make_folder(tmp_path / "a" / "b" / "c")
    assert modes(tmp_path) == {"a": FOLDER, "a/b": FOLDER, "a/b/c": FOLDER}
    # The last one is empty: it needs no more than its name, and its mode where it was given one.
    assert set(synced.lacking(tmp_path)) <= {str(tmp_path / "a" / "b" / "c")}


def test_a_folder_that_a_crash_left_without_its_mode_gets_it(
    tmp_path: Path, synced: Synced
) -> None:
    (tmp_path / "a").mkdir(mode=0o700)
    durable.make_folder(tmp_path / "a")
    assert modes(tmp_path) == {"a": FOLDER}
    assert synced.lacking(tmp_path) == []  # a power cut would take the mode back


def test_so_does_an_empty_one_above_the_folder_to_be_made(tmp_path: Path, synced: Synced) -> None:
    within = tmp_path / "within"
    within.mkdir(mode=0o700)
    (within / "a").mkdir(mode=0o700)
    durable.make_folder(within / "a" / "b", within=within)
    assert modes(within) == {"a": FOLDER, "a/b": FOLDER}
    assert synced.lacking(within) == [str(within / "a" / "b")]
    assert modes(tmp_path)["within"] == 0o700


def test_a_folder_that_is_as_it_should_be_is_left_as_it_is(tmp_path: Path) -> None:
    durable.make_folder(tmp_path / "a")
    before = snapshot(tmp_path)
    durable.make_folder(tmp_path / "a")
    assert snapshot(tmp_path) == before


def test_a_folder_that_another_made_meanwhile_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mkdir = os.mkdir

    def late(path: str, mode: int = 0o777) -> None:
        mkdir(path, mode)
        mkdir(path, mode)

    monkeypatch.setattr(os, "mkdir", late)
    durable.make_folder(tmp_path / "a")
    assert (tmp_path / "a").is_dir()


def test_a_relative_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    durable.make_folder(type(tmp_path)("a/b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_a_folder_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError):
        durable.make_folder(tmp_path / "file" / "a")


@pytest.mark.usefixtures("umask")
def test_a_written_file_is_durable_and_everyone_may_read_it(tmp_path: Path, synced: Synced) -> None:
    durable.write_file(tmp_path / "file", b"data" * 10_000)
    assert (tmp_path / "file").read_bytes() == b"data" * 10_000
    assert modes(tmp_path) == {"file": FILE}
    assert synced.lacking(tmp_path / "file") == []


@pytest.mark.parametrize("there", ["a file", "a link", "a link to nothing"])
def test_a_file_that_is_there_is_not_written(tmp_path: Path, there: str) -> None:
    (tmp_path / "old").write_bytes(b"old")
    path = tmp_path / "file"
    if there == "a file":
        path.write_bytes(b"old")
    else:
        path.symlink_to("old" if there == "a link" else "nothing")
    before = snapshot(tmp_path)
    with pytest.raises(FileExistsError):
        durable.write_file(path, b"new")
    assert snapshot(tmp_path) == before


def test_a_created_file_is_not_inherited_by_other_processes(tmp_path: Path) -> None:
    fd = durable.create_file(tmp_path / "file")
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_a_link_is_made_once_and_durable(tmp_path: Path, synced: Synced) -> None:
    (tmp_path / "a").mkdir()
    durable.write_file(tmp_path / "one", b"1")
    durable.write_file(tmp_path / "two", b"2")
    assert durable.link_new(tmp_path / "one", tmp_path / "a" / "name") is True
    assert synced.lacking(tmp_path / "a") == []
    assert durable.link_new(tmp_path / "two", tmp_path / "a" / "name") is False
    assert (tmp_path / "a" / "name").read_bytes() == b"1"


def test_a_link_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        durable.link_new(tmp_path / "missing", tmp_path / "name")
    assert caught.value.errno == errno.ENOENT


def test_linking_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    durable.link_new(tmp_path / "link", tmp_path / "name")
    assert (tmp_path / "name").is_symlink()
    assert (tmp_path / "file").stat().st_nlink == 1


def test_a_rename_is_durable_in_both_folders(tmp_path: Path, synced: Synced) -> None:
    for name in ("from", "to"):
        (tmp_path / name).mkdir()
    durable.write_file(tmp_path / "from" / "file", b"1")
    durable.sync_folder(tmp_path / "from")
    durable.rename(tmp_path / "from" / "file", tmp_path / "to" / "name")
    assert synced.lacking(tmp_path / "from") == []
    assert synced.lacking(tmp_path / "to") == []


def test_a_folder_whose_names_cannot_be_made_durable_is_named() -> None:
    with pytest.raises(OSError, match=r"'/proc/self'$"):
        durable.sync_folder(Path("/proc/self"))
