"""File systems that are full, or say that they are."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
from typing import TYPE_CHECKING, Final

import pytest

from model_sync.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BLOCK_BYTES: Final = 4096


def say_free(monkeypatch: pytest.MonkeyPatch, n_bytes: int, *, blocks: int = 1 << 40) -> None:
    """Let the system say that so many bytes are free for a user; for root, there are more."""
    stated = os.statvfs_result((_BLOCK_BYTES, 1, blocks, 1 << 39, n_bytes, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: stated)


@contextlib.contextmanager
def files_end_at(n_bytes: int) -> Iterator[None]:
    """Let no file that this process, or a child of it, writes get longer: EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def small_file_system(place: Path, options: str) -> Iterator[Path]:
    """A file system in memory, as `size=8m` or `nr_inodes=100` would have it; needs root."""
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"a small file system cannot be mounted: run this as root ({done.stderr})")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


class Filling(Silent):
    """Fills a file system at the nth step of a publication, to the last byte or the last file."""

    def __init__(self, place: Path, at: int, *, files: bool) -> None:
        self._folder = place / "filler"
        self._left = at
        self._files = files
        self.filled_at: str | None = None

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Fill it, if it is time."""
        self._left -= 1
        if self._left == 0:
            self.filled_at = what
            self._folder.mkdir()
            with contextlib.suppress(OSError):
                self._fill()

    def _fill(self) -> None:
        if self._files:
            for number in range(1_000_000):
                (self._folder / str(number)).touch()
        with (self._folder / "bytes").open("wb", buffering=0) as stream:
            while stream.write(bytes(_BLOCK_BYTES)):
                pass

    def empty(self) -> None:
        """Make room again."""
        for path in self._folder.iterdir():
            path.unlink()
        self._folder.rmdir()
