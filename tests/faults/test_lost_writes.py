"""The model of a disk loses what was not fsynced, and nothing else; a replay is what was done."""

from __future__ import annotations

import os
import shutil
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.faults.kill_trace import OPTIONS, Call, read_calls
from tests.faults.lost_calls import Replay
from tests.faults.lost_writes import Disk, File, Folder
from tests.support.kill_children import MISSING, run_traced

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.lost_writes import Place, Survivors


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two folders and a file, all of them durable."""
    root = tmp_path / "root"
    for name in ("from", "to"):
        (root / name).mkdir(parents=True)
    (root / "from" / "old").write_bytes(b"old")
    return root


@pytest.fixture
def disk(root: Path) -> Disk:
    return Disk(root)


def at(disk: Disk, root: Path, path: str) -> Place:
    place = disk.place(root / path)
    assert place is not None
    return place


def folder(disk: Disk, root: Path, path: str) -> Folder:
    node = disk.node(root / path)
    assert isinstance(node, Folder)
    return node


def files(survivors: Survivors) -> dict[str, bytes]:
    return {path: leaf.data for path, leaf in survivors.leaves if leaf.data is not None}


def mixtures(disk: Disk, count: int = 200) -> list[dict[str, bytes]]:
    random = Random(1)  # noqa: S311
    return [files(disk.mixture(random)) for _ in range(count)]


def new_file(disk: Disk, root: Path, path: str) -> File:
    file = disk.create(at(disk, root, path), 0o600)
    file.write(0, b"new")
    return file


def test_what_was_there_before_is_durable(disk: Disk) -> None:
    assert files(disk.worst()) == files(disk.best()) == {"from/old": b"old"}


def test_a_file_survives_only_with_its_own_fsync_and_its_folders(disk: Disk, root: Path) -> None:
    file = new_file(disk, root, "to/file")
    assert "to/file" not in files(disk.worst())
    file.sync()
    assert "to/file" not in files(disk.worst())
    folder(disk, root, "to").sync()
    assert files(disk.worst())["to/file"] == b"new"


def test_a_name_alone_is_an_empty_file_or_a_part_of_it(disk: Disk, root: Path) -> None:
    new_file(disk, root, "to/file")
    folder(disk, root, "to").sync()
    assert files(disk.worst())["to/file"] == b""
    assert {found["to/file"] for found in mixtures(disk)} == {b"", b"n", b"ne", b"new"}


def test_bytes_written_over_others_are_those_or_these(disk: Disk, root: Path) -> None:
    file = disk.node(root / "from" / "old")
    assert isinstance(file, File)
    file.write(3, b"er")
    assert files(disk.worst())["from/old"] == b"old"
    assert {b"old", b"older"} <= {found["from/old"] for found in mixtures(disk)}
    file.sync()
    assert files(disk.worst())["from/old"] == b"older"


def test_a_rename_may_be_lost_until_its_folder_is_synced(disk: Disk, root: Path) -> None:
    disk.rename(at(disk, root, "from/old"), at(disk, root, "from/new"))
    assert set(files(disk.worst())) == {"from/old"}
    assert {tuple(found) for found in mixtures(disk)} == {("from/old",), ("from/new",)}
    folder(disk, root, "from").sync()
    assert {tuple(found) for found in mixtures(disk)} == {("from/new",)}


def test_a_rename_between_folders_is_a_change_in_each(disk: Disk, root: Path) -> None:
    disk.rename(at(disk, root, "from/old"), at(disk, root, "to/new"))
    found = {tuple(sorted(found)) for found in mixtures(disk)}
    assert found == {(), ("from/old",), ("to/new",), ("from/old", "to/new")}
    folder(disk, root, "to").sync()
    found = {tuple(sorted(found)) for found in mixtures(disk)}
    assert found == {("to/new",), ("from/old", "to/new")}
    folder(disk, root, "from").sync()
    assert {tuple(found) for found in mixtures(disk)} == {("to/new",)}


def test_the_wrong_folder_synced_first_loses_what_was_renamed(disk: Disk, root: Path) -> None:
    disk.rename(at(disk, root, "from/old"), at(disk, root, "to/new"))
    folder(disk, root, "from").sync()
    assert files(disk.worst()) == {}


def test_a_removed_name_may_come_back_until_its_folder_is_synced(disk: Disk, root: Path) -> None:
    disk.remove(at(disk, root, "from/old"))
    assert files(disk.worst()) == {"from/old": b"old"}
    folder(disk, root, "from").sync()
    assert files(disk.worst()) == {}


def test_a_folder_keeps_the_order_of_its_changes(disk: Disk, root: Path) -> None:
    for name in ("a", "b", "c"):
        new_file(disk, root, f"to/{name}")
    found = {"".join(path[-1] for path in found if path != "from/old") for found in mixtures(disk)}
    assert found == {"", "a", "ab", "abc"}


def test_a_folder_that_nothing_durable_names_is_lost_with_all_in_it(disk: Disk, root: Path) -> None:
    made = disk.make_folder(at(disk, root, "to/folder"), 0o700)
    new_file(disk, root, "to/folder/file").sync()
    made.sync()
    assert "to/folder/file" not in files(disk.worst())
    folder(disk, root, "to").sync()
    assert files(disk.worst())["to/folder/file"] == b"new"


def test_a_mode_is_durable_with_what_has_it(disk: Disk, root: Path) -> None:
    made = disk.make_folder(at(disk, root, "to/folder"), 0o700)
    made.mode = 0o755
    folder(disk, root, "to").sync()
    assert dict(disk.worst().leaves)["to/folder"].mode == 0o700
    made.sync()
    assert dict(disk.worst().leaves)["to/folder"].mode == 0o755


def test_names_of_one_file_are_names_of_one_file(disk: Disk, root: Path, tmp_path: Path) -> None:
    file = disk.node(root / "from" / "old")
    assert file is not None
    disk.name(file, at(disk, root, "to/new"))
    disk.rename(at(disk, root, "to/new"), at(disk, root, "from/old"))  # does nothing, by POSIX
    best = disk.best()
    assert best.same == (("from/old", "to/new"),)
    (tmp_path / "found").mkdir()
    best.write(tmp_path / "found")
    assert (tmp_path / "found/from/old").samefile(tmp_path / "found/to/new")
    assert best.folders_with_two_names() == []


def test_a_folder_in_two_places_is_told(disk: Disk, root: Path) -> None:
    disk.make_folder(at(disk, root, "from/inner"), 0o755)
    folder(disk, root, "from").sync()
    disk.rename(at(disk, root, "from/inner"), at(disk, root, "to/moved"))
    folder(disk, root, "to").sync()
    assert disk.worst().folders_with_two_names() == [("from/inner", "to/moved")]


def test_what_survives_is_written_as_it_is(disk: Disk, root: Path, tmp_path: Path) -> None:
    new_file(disk, root, "to/file")
    (tmp_path / "found").mkdir()
    disk.best().write(tmp_path / "found")
    assert Disk(tmp_path / "found").worst().leaves == disk.best().leaves


def test_lines_are_read_as_calls() -> None:
    lines = [
        r'openat(4, "\x61\x2c\x20\x62", O_RDONLY|O_CLOEXEC) = 5',
        r'mkdir("\x2f\x61", 0777) = -1 EEXIST (File exists)',
        r'write(5, "", 0)                         = 0',
        "fsync(5) = ?",
        "+++ killed by SIGKILL +++",
    ]
    assert list(read_calls(lines)) == [
        Call("openat", ("4", b"a, b", "O_RDONLY|O_CLOEXEC"), 5),
        Call("write", ("5", b"", "0"), 0),
    ]


@pytest.mark.parametrize("name", ["symlink", "copy_file_range", "sync"])
def test_a_call_that_the_model_does_not_know_ends_the_replay(disk: Disk, name: str) -> None:
    with pytest.raises(NotImplementedError, match=name):
        Replay(disk, umask=0o022).do(Call(name, ("3", "4"), 0))


def _do_all_kinds(root: Path) -> None:
    """Something with each call that the model knows, as the writers make them."""
    place = root / "to"
    fd = os.open(place / "file", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(fd, b"0123456789")
    os.pwrite(fd, b"ab", 12)
    os.lseek(fd, 2, os.SEEK_SET)
    os.write(fd, b"xy")
    os.ftruncate(fd, 13)
    os.fchmod(fd, 0o640)
    os.fsync(fd)
    os.close(fd)
    with (place / "file").open("ab") as stream:
        stream.write(b"end")
    with (root / "from" / "old").open("wb") as stream:
        stream.write(b"written anew")
    (place / "a").mkdir()
    (place / "a").chmod(0o711)
    os.link(place / "file", place / "a" / "link")
    (place / "a").rename(root / "moved")
    fd = os.open(root / "moved", os.O_RDONLY)
    again = os.dup(fd)
    os.close(fd)
    os.mkdir("inner", dir_fd=again)
    os.rename("link", "inner/renamed", src_dir_fd=again, dst_dir_fd=again)
    (place / "gone").mkdir()
    shutil.rmtree(place / "gone")
    (place / "file").unlink()
    os.fsync(again)


@pytest.mark.slow
def test_nothing_lost_a_replay_is_what_the_calls_did(root: Path, tmp_path: Path) -> None:
    assert shutil.which("strace"), MISSING
    disk = Disk(root)
    umask = os.umask(0o027)
    ended = run_traced(lambda: _do_all_kinds(root), tmp_path / "trace", OPTIONS)
    os.umask(umask)
    assert ended.status == 0
    replay = Replay(disk, umask=0o027)
    changes = sum(replay.do(call) for call in read_calls(ended.lines))
    assert changes >= 20
    assert disk.best().leaves == Disk(root).best().leaves
    assert files(disk.worst()).keys() == {"from/old"}  # the root was never synced
