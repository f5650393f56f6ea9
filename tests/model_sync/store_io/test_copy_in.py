from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import pytest

from model_store.errors import InvalidNameError
from model_store.files import check_file
from model_sync.errors import SourceError
from model_sync.sources.folder import FolderSource
from model_sync.store_io.staging import BLOCK_BYTES, copy_in
from tests.support.snapshots import FILE, modes

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.durability import Synced


@pytest.fixture
def source(tmp_path: Path) -> FolderSource:
    (tmp_path / "model").mkdir()
    return FolderSource(tmp_path / "model")


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    (tmp_path / "staged").mkdir()
    return tmp_path / "staged"


@pytest.mark.parametrize(
    "size",
    [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 3 * BLOCK_BYTES + 7],
)
def test_a_file_is_copied_and_its_digest_is_the_sha256_of_its_bytes(
    source: FolderSource, staged: Path, tmp_path: Path, size: int
) -> None:
    data = os.urandom(size)
    (tmp_path / "model" / "file").write_bytes(data)
    told: list[int] = []
    entry = copy_in(source, "file", staged, "source/deep/file", told.append)
    assert (staged / "source" / "deep" / "file").read_bytes() == data
    assert entry.path == "source/deep/file"
    assert entry.size_bytes == size
    assert str(entry.digest) == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert sum(told) == size
    assert all(0 < count <= BLOCK_BYTES for count in told)
    check_file(staged, entry)


def test_a_large_copy_is_written_back_while_it_grows(
    source: FolderSource, staged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    advise = os.posix_fadvise

    def listen(fd: int, offset: int, length: int, advice: int) -> None:
        assert os.fstat(fd).st_size >= offset + length
        told.append((offset, length))
        advise(fd, offset, length, advice)

    monkeypatch.setattr(os, "posix_fadvise", listen)
    with (tmp_path / "model" / "file").open("wb") as out:
        for _ in range(33):
            out.write(os.urandom(1 << 20))
    copy_in(source, "file", staged, "file", lambda _: None)
    assert told == [(index << 23, 8 << 20) for index in range(4)]


@pytest.mark.usefixtures("umask")
def test_a_copy_can_be_read_by_everyone_whatever_the_umask_and_the_original(
    source: FolderSource, staged: Path, tmp_path: Path
) -> None:
    original = tmp_path / "model" / "file"
    original.write_bytes(b"")
    original.chmod(0o7700)
    copy_in(source, "file", staged, "file", lambda _: None)
    assert modes(staged) == {"file": FILE}


def test_a_copy_is_durable(
    source: FolderSource, staged: Path, tmp_path: Path, synced: Synced
) -> None:
    (tmp_path / "model" / "file").write_bytes(b"data")
    copy_in(source, "file", staged, "a/file", lambda _: None)
    assert synced.lacking(staged / "a" / "file") == []


def test_nothing_is_overwritten(source: FolderSource, staged: Path, tmp_path: Path) -> None:
    (tmp_path / "model" / "file").write_bytes(b"new")
    (staged / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        copy_in(source, "file", staged, "file", lambda _: None)
    assert (staged / "file").read_bytes() == b"old"


@pytest.mark.parametrize("target", ["../file", "/tmp/file", "a/../../file", ""])  # noqa: S108
def test_nothing_is_written_outside_the_staged_folder(
    source: FolderSource, staged: Path, tmp_path: Path, target: str
) -> None:
    (tmp_path / "model" / "file").write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InvalidNameError):
        copy_in(source, "file", staged, target, lambda _: None)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_source_that_fails_fails_the_copy(source: FolderSource, staged: Path) -> None:
    with pytest.raises(SourceError, match="missing"):
        copy_in(source, "missing", staged, "file", lambda _: None)


def test_what_is_made_of_a_link_is_a_file(
    source: FolderSource, staged: Path, tmp_path: Path
) -> None:
    (tmp_path / "model" / "file").write_bytes(b"data")
    (tmp_path / "model" / "link").symlink_to("file")
    copy_in(source, "link", staged, "link", lambda _: None)
    assert not (staged / "link").is_symlink()
    assert (staged / "link").read_bytes() == b"data"
