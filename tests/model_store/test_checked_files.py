from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from model_store.digests import Digest
from model_store.errors import DamagedError
from model_store.files import FileEntry, check_file, read_checked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DATA = bytes(range(48))
ENTRY = FileEntry("a/data", len(DATA), Digest.of_bytes(DATA))

CHECKS: list[Callable[[Path, FileEntry], object]] = [check_file, read_checked]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "data").write_bytes(DATA)
    return tmp_path


def test_what_was_published_is_read(folder: Path) -> None:
    check_file(folder, ENTRY)
    assert read_checked(folder, ENTRY) == DATA


def test_an_empty_file_is_a_file(folder: Path) -> None:
    (folder / "empty").write_bytes(b"")
    entry = FileEntry("empty", 0, Digest.of_bytes(b""))
    check_file(folder, entry)
    assert read_checked(folder, entry) == b""


@pytest.mark.parametrize("check", CHECKS)
class TestBothChecks:
    def test_every_truncation_is_found(
        self, folder: Path, check: Callable[[Path, FileEntry], object]
    ) -> None:
        for length in range(len(DATA)):
            (folder / "a" / "data").write_bytes(DATA[:length])
            with pytest.raises(DamagedError, match=f"{length} bytes with digest"):
                check(folder, ENTRY)

    @pytest.mark.parametrize("more", [b"\x00", b"x" * 5000])
    def test_growth_is_found(
        self, folder: Path, check: Callable[[Path, FileEntry], object], more: bytes
    ) -> None:
        (folder / "a" / "data").write_bytes(DATA + more)
        with pytest.raises(DamagedError, match="published as 48 bytes"):
            check(folder, ENTRY)

    def test_every_flipped_bit_is_found(
        self, folder: Path, check: Callable[[Path, FileEntry], object]
    ) -> None:
        for bit in range(len(DATA) * 8):
            flipped = bytearray(DATA)
            flipped[bit // 8] ^= 1 << bit % 8
            (folder / "a" / "data").write_bytes(flipped)
            with pytest.raises(DamagedError, match="is damaged"):
                check(folder, ENTRY)

    def test_a_size_that_does_not_fit_the_digest_is_found(
        self, folder: Path, check: Callable[[Path, FileEntry], object]
    ) -> None:
        for size in (0, 47, 49):
            with pytest.raises(DamagedError, match="is damaged"):
                check(folder, ENTRY._replace(size_bytes=size))

    @pytest.mark.parametrize("size", [2**62, 2**63, 10**30])
    def test_a_size_that_no_file_has_is_found_without_asking_for_the_memory(
        self, folder: Path, check: Callable[[Path, FileEntry], object], size: int
    ) -> None:
        with pytest.raises(DamagedError, match="is damaged"):
            check(folder, ENTRY._replace(size_bytes=size))

    def test_a_missing_file_is_damage(
        self, folder: Path, check: Callable[[Path, FileEntry], object]
    ) -> None:
        (folder / "a" / "data").unlink()
        with pytest.raises(DamagedError, match=r"data cannot be read: No such file"):
            check(folder, ENTRY)

    def test_a_folder_in_its_place_is_damage(
        self, folder: Path, check: Callable[[Path, FileEntry], object]
    ) -> None:
        (folder / "a" / "data").unlink()
        (folder / "a" / "data").mkdir()
        with pytest.raises(DamagedError, match=r"data cannot be read"):
            check(folder, ENTRY)

    def test_a_link_to_the_right_bytes_is_damage(
        self, folder: Path, check: Callable[[Path, FileEntry], object]
    ) -> None:
        (folder / "a" / "data").rename(folder / "elsewhere")
        (folder / "a" / "data").symlink_to(folder / "elsewhere")
        with pytest.raises(DamagedError, match=r"data cannot be read: Too many levels"):
            check(folder, ENTRY)


def test_reading_does_not_take_more_of_a_grown_file_than_it_needs(folder: Path) -> None:
    # A hole of a terabyte, which no memory holds.
    os.truncate(folder / "a" / "data", 1 << 40)
    with pytest.raises(DamagedError, match="is damaged"):
        read_checked(folder, ENTRY)
