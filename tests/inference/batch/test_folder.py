from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from inference.batch.errors import ObjectGoneError, StorageError
from inference.batch.folder_storage import BLOCK_BYTES, FolderInput, FolderOutputs, find_inputs

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, data: bytes = b"data") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_inputs_are_the_files_below_the_folder_sorted(tmp_path: Path) -> None:
    for name in ("b", "a/c", "a/b/c", "grüße an alle"):
        write(tmp_path / name)
    assert find_inputs(tmp_path) == ["a/b/c", "a/c", "b", "grüße an alle"]


def test_names_with_a_dot_in_front_are_left_out(tmp_path: Path) -> None:
    for name in (".DS_Store", ".git/config", "a/.b", "a/c"):
        write(tmp_path / name)
    assert find_inputs(tmp_path) == ["a/c"]


def test_a_link_to_a_file_is_an_input_and_one_to_a_folder_is_not(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "file", b"linked")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").symlink_to(tmp_path / "elsewhere" / "file")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in")
    assert find_inputs(tmp_path / "in") == ["file"]
    assert b"".join(FolderInput(tmp_path / "in", "file").blocks()) == b"linked"


def test_a_folder_that_is_not_there_is_an_error_and_not_empty(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        find_inputs(tmp_path / "missing")


def test_a_file_is_read_in_blocks(tmp_path: Path) -> None:
    data = os.urandom(BLOCK_BYTES * 2 + 1)
    source = FolderInput(tmp_path, write(tmp_path / "a", data).name)
    blocks = list(source.blocks())
    assert [len(block) for block in blocks] == [BLOCK_BYTES, BLOCK_BYTES, 1]
    assert b"".join(blocks) == data
    assert source.describe() == {"key": "a", "size_bytes": len(data)}
    source.confirm()


def test_a_pipe_is_no_input_and_nothing_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name in find_inputs(tmp_path):
            with pytest.raises(StorageError, match=f"{name} is not a regular file"):
                FolderInput(tmp_path, name)
    assert find_inputs(tmp_path) == ["pipe", "socket"]


def test_a_link_that_leads_nowhere_is_said_by_name(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "missing")
    assert find_inputs(tmp_path) == ["link"]
    with pytest.raises(StorageError, match="link cannot be read: No such file"):
        FolderInput(tmp_path, "link")


def test_a_name_that_is_no_text_is_said_by_name(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"\xff"))
    (name,) = find_inputs(tmp_path)
    with pytest.raises(StorageError, match="is not valid UTF-8"):
        FolderInput(tmp_path, name)


def test_a_file_that_vanishes_before_it_is_read_is_said(tmp_path: Path) -> None:
    source = FolderInput(tmp_path, write(tmp_path / "a").name)
    (tmp_path / "a").unlink()
    with pytest.raises(StorageError, match="a cannot be read: No such file"):
        list(source.blocks())
    with pytest.raises(ObjectGoneError, match="deleted while it was read"):
        source.confirm()


def test_a_file_that_is_changed_while_it_is_read_is_not_confirmed(tmp_path: Path) -> None:
    source = FolderInput(tmp_path, write(tmp_path / "a").name)
    write(tmp_path / "a", b"more data")
    with pytest.raises(ObjectGoneError, match="changed while it was read"):
        source.confirm()


def test_a_file_that_is_written_over_with_as_many_bytes_is_not_confirmed(tmp_path: Path) -> None:
    path = write(tmp_path / "a", b"data")
    source = FolderInput(tmp_path, "a")
    before = path.stat()
    path.write_bytes(b"atad")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000))
    with pytest.raises(ObjectGoneError, match="changed while it was read"):
        source.confirm()


def test_a_file_that_is_replaced_by_one_like_it_is_not_confirmed(tmp_path: Path) -> None:
    source = FolderInput(tmp_path, write(tmp_path / "a").name)
    before = (tmp_path / "a").stat()
    other = write(tmp_path / "b")
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(tmp_path / "a")
    with pytest.raises(ObjectGoneError, match="changed while it was read"):
        source.confirm()


def test_an_output_is_seen_when_it_is_committed_and_not_before(tmp_path: Path) -> None:
    out = tmp_path / "made" / "by it"
    output = FolderOutputs(out).create("m/1/a.out", "text/plain")
    output.write(b"da")
    output.write(b"ta")
    assert not (out / "m").exists()
    output.commit()
    assert (out / "m/1/a.out").read_bytes() == b"data"
    output.discard()
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["a.out"]


def test_an_output_replaces_the_one_before_it(tmp_path: Path) -> None:
    path = write(tmp_path / "m/1/a.out", b"old and long")
    output = FolderOutputs(tmp_path).create("m/1/a.out", "text/plain")
    output.write(b"new")
    assert path.read_bytes() == b"old and long"
    output.commit()
    assert path.read_bytes() == b"new"


def test_an_output_that_is_discarded_leaves_nothing(tmp_path: Path) -> None:
    output = FolderOutputs(tmp_path).create("m/1/a.out", "text/plain")
    output.write(b"data")
    output.discard()
    output.discard()
    assert list(tmp_path.iterdir()) == []


def test_outputs_are_as_readable_as_other_files(tmp_path: Path) -> None:
    output = FolderOutputs(tmp_path).create("a.out", "text/plain")
    output.commit()
    ordinary = write(tmp_path / "ordinary")
    assert stat.S_IMODE((tmp_path / "a.out").stat().st_mode) == stat.S_IMODE(
        ordinary.stat().st_mode
    )


def test_removing_an_output_that_is_not_there_is_no_error(tmp_path: Path) -> None:
    outputs = FolderOutputs(tmp_path)
    path = write(tmp_path / "m/1/a.out")
    outputs.remove("m/1/a.out")
    outputs.remove("m/1/a.out")
    outputs.remove("never/there")
    assert not path.exists()


def test_a_place_that_cannot_be_written_is_said_by_name(tmp_path: Path) -> None:
    write(tmp_path / "m")
    output = FolderOutputs(tmp_path).create("m/1/a.out", "text/plain")
    with pytest.raises(StorageError, match=r"m/1/a\.out cannot be written"):
        output.commit()
    output.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["m"]
    with pytest.raises(StorageError, match="cannot be written"):
        FolderOutputs(tmp_path / "m").create("a.out", "text/plain")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        FolderOutputs(tmp_path).remove("folder")
