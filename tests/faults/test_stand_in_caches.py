"""Caches of the kernel, like an NFS client's, and the effect of another client's changes."""

# ruff: noqa: PTH104 - the very system calls are what is tested
from __future__ import annotations

import errno
import mmap
import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from bench.efs_stand_in import EfsStandIn, Options
from model_store.names import new_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.efs_stand_in import Counts

pytestmark = pytest.mark.slow

MIB = 1 << 20


class Here(NamedTuple):
    """Return a folder on a shared mount, of which nothing is cached yet."""

    source: Path
    mountpoint: Path
    counts: Callable[[], Counts]


@pytest.fixture
def efs(shared_efs: EfsStandIn) -> Here:
    name = new_id()
    (shared_efs.source / name).mkdir()
    shared_efs.reset()
    return Here(shared_efs.source / name, shared_efs.mountpoint / name, shared_efs.counts)


def test_an_unchanged_file_is_read_once_however_often_it_is_opened(efs: Here) -> None:
    (efs.source / "file").write_bytes(bytes(MIB))
    for _ in range(3):
        assert len((efs.mountpoint / "file").read_bytes()) == MIB
    counts = efs.counts()
    assert counts["read_bytes"] == MIB
    assert counts["open"] == 3


def test_a_file_that_another_client_changed_is_read_anew_from_the_next_open(
    efs: Here,
) -> None:
    (efs.source / "file").write_bytes(b"1" * 100)
    assert (efs.mountpoint / "file").read_bytes() == b"1" * 100
    (efs.source / "file").write_bytes(b"2" * 100)
    assert (efs.mountpoint / "file").read_bytes() == b"2" * 100
    assert efs.counts()["read_bytes"] == 200


@pytest.mark.parametrize("change", ["chmod", "link"])
def test_what_was_published_loses_its_page_cache_when_its_inode_is_touched(
    efs: Here, change: str
) -> None:
    (efs.source / "file").write_bytes(b"1" * 100)
    (efs.mountpoint / "file").read_bytes()
    if change == "chmod":
        (efs.source / "file").chmod(0o600)
    else:
        os.link(efs.source / "file", efs.source / "other")
    (efs.mountpoint / "file").read_bytes()
    assert efs.counts()["read_bytes"] == 200


def test_what_is_written_here_is_read_from_memory(efs: Here) -> None:
    (efs.mountpoint / "file").write_bytes(bytes(MIB))
    (efs.mountpoint / "file").read_bytes()
    first = efs.counts()["read_bytes"]
    (efs.mountpoint / "file").read_bytes()
    assert efs.counts()["read_bytes"] == first


def test_a_mount_made_anew_has_nothing_in_memory(shared_efs: EfsStandIn) -> None:
    efs = shared_efs
    (efs.source / "file").write_bytes(bytes(MIB))
    (efs.mountpoint / "file").read_bytes()
    efs.restart()
    assert efs.counts()["read_bytes"] == 0
    (efs.mountpoint / "file").read_bytes()
    assert efs.counts()["read_bytes"] == MIB


def test_attributes_and_names_are_believed_for_a_while(folder: Path) -> None:
    (folder / "source" / "file").write_bytes(b"1")
    options = Options(metadata_ms=0, read_ms=0, write_ms=0, cache_s=3600, missing_cache_s=3600)
    with EfsStandIn(folder / "source", folder / "mount", options) as efs:
        for _ in range(5):
            assert (efs.mountpoint / "file").stat().st_size == 1
            assert not (efs.mountpoint / "missing").exists()
        assert efs.counts()["lookup"] == 2
        (efs.source / "missing").write_bytes(b"made by another client")
        (efs.source / "file").write_bytes(b"22")
        assert not (efs.mountpoint / "missing").exists()
        assert (efs.mountpoint / "file").stat().st_size == 1
        assert (efs.mountpoint / "file").read_bytes() == b"22"  # close-to-open


def test_nothing_is_believed_where_that_was_asked_for(folder: Path) -> None:
    (folder / "source" / "file").write_bytes(b"1")
    options = Options(metadata_ms=0, read_ms=0, write_ms=0, cache_s=0)
    with EfsStandIn(folder / "source", folder / "mount", options) as efs:
        for size in range(1, 4):
            (efs.source / "file").write_bytes(bytes(size))
            assert (efs.mountpoint / "file").stat().st_size == size
            assert efs.counts()["lookup"] == size


def test_a_file_that_another_client_deleted_is_stale_to_who_has_it_open(efs: Here) -> None:
    (efs.source / "file").write_bytes(bytes(MIB))
    with (efs.mountpoint / "file").open("rb", buffering=0) as stream:
        (efs.source / "file").unlink()
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            stream.read()
    with pytest.raises(FileNotFoundError):
        (efs.mountpoint / "file").open("rb")


def test_a_file_that_was_replaced_by_another_client_is_found_anew(efs: Here) -> None:
    for text in ("one", "two", "three"):
        (efs.source / "new").write_text(text)
        os.rename(efs.source / "new", efs.source / "refs.json")
        assert (efs.mountpoint / "refs.json").read_text() == text


@pytest.mark.parametrize(("read_ahead_kib", "most_reads"), [(128, 17 * 8), (15_000, 17 * 2)])
def test_a_sequential_reader_is_read_ahead_for_as_far_as_was_said(
    folder: Path, read_ahead_kib: int, most_reads: int
) -> None:
    (folder / "source" / "file").write_bytes(bytes(16 * MIB))
    options = Options(
        metadata_ms=0, read_ms=0, write_ms=0, bandwidth_mib_s=0, read_ahead_kib=read_ahead_kib
    )
    with EfsStandIn(folder / "source", folder / "mount", options) as efs:
        with (efs.mountpoint / "file").open("rb", buffering=0) as stream:
            while stream.read(64 * 1024):
                pass
        counts = efs.counts()
    assert counts["read_bytes"] == 16 * MIB
    assert most_reads / 3 < counts["read"] <= most_reads


def test_files_can_be_mapped(efs: Here) -> None:
    (efs.source / "file").write_bytes(b"mapped" * MIB)
    with (
        (efs.mountpoint / "file").open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as mapped,
    ):
        assert mapped[3 * MIB : 3 * MIB + 6] == b"mapped"
    assert efs.counts()["read_bytes"] < 6 * MIB


def test_calls_are_counted_from_the_last_reset(efs: Here, shared_efs: EfsStandIn) -> None:
    (efs.mountpoint / "folder").mkdir()
    (efs.mountpoint / "folder" / "a").write_bytes(b"12345")
    os.rename(efs.mountpoint / "folder" / "a", efs.mountpoint / "folder" / "b")
    counts = efs.counts()
    assert (counts["mkdir"], counts["create"], counts["write"]) == (1, 1, 1)
    assert (counts["rename"], counts["unlink"], counts["written_bytes"]) == (1, 0, 5)
    shared_efs.reset()
    (efs.mountpoint / "another").mkdir()
    assert efs.counts()["mkdir"] == 1


def test_a_trace_names_what_each_call_was_about(folder: Path) -> None:
    options = Options(metadata_ms=0, read_ms=0, write_ms=0, trace=True)
    with EfsStandIn(folder / "source", folder / "mount", options) as efs:
        (efs.mountpoint / "deep").mkdir()
        (efs.mountpoint / "deep" / "a").write_bytes(b"")
        os.link(efs.mountpoint / "deep" / "a", efs.mountpoint / "b")
        os.rename(efs.mountpoint / "deep", efs.mountpoint / "moved")
        (efs.mountpoint / "moved" / "a").open("rb").close()
        calls = [call for call in efs.traced() if call[0] not in {"lookup", "getattr", "flush"}]
    assert calls == [
        ("mkdir", "deep"),
        ("create", "deep/a"),
        ("link", "deep/a", "b"),
        ("rename", "deep", "moved"),
        ("open", "moved/a", "b"),
    ]


def test_a_trace_names_what_was_read_of_each_file(folder: Path) -> None:
    (folder / "source" / "a").write_bytes(bytes(MIB))
    options = Options(metadata_ms=0, read_ms=0, write_ms=0, trace=True)
    with EfsStandIn(folder / "source", folder / "mount", options) as efs:
        (efs.mountpoint / "a").read_bytes()
        reads = efs.reads()
        assert {path for path, _, _ in reads} == {"a"}
        assert sum(size for _, _, size in reads) == efs.counts()["read_bytes"] == MIB
        assert min(at for _, at, _ in reads) == 0
        efs.reset()
        assert efs.reads() == []
