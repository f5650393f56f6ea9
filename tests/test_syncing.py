"""Tests that do not wait for the disk are refused what the disk would refuse."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.syncing import SYNC, no_waiting_for_the_disk

if TYPE_CHECKING:
    from pathlib import Path


def _told(fd: int) -> int | None:
    try:
        os.fsync(fd)
    except OSError as error:
        return error.errno
    return None


def test_what_is_synced_is_checked_as_the_system_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    folder = os.open(tmp_path, os.O_RDONLY)
    file = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
    unknown = os.open("/proc/self", os.O_RDONLY)
    closed = os.dup(file)
    os.close(closed)
    asked = [reading, writing, folder, file, unknown, closed]
    monkeypatch.setattr(os, "fsync", SYNC)
    by_the_system = [_told(fd) for fd in asked]
    assert len(set(by_the_system)) == 3
    with no_waiting_for_the_disk():
        assert os.fsync is not SYNC
        assert [_told(fd) for fd in asked] == by_the_system
    for fd in (reading, writing, folder, file, unknown):
        os.close(fd)


def test_a_test_does_not_wait_for_the_disk() -> None:
    assert os.fsync is not SYNC


@pytest.mark.slow
def test_a_slow_test_does() -> None:
    assert os.fsync is SYNC
