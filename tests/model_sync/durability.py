"""What would still be there after a power cut: only what was fsynced in the state that it is in."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class Synced:
    """A file's size and a folder's names at their last fsync, by inode."""

    def __init__(self) -> None:
        self._durable: dict[int, int | frozenset[str]] = {}

    def take(self, fd: int) -> None:
        """Note what an open file or folder is now: it was fsynced."""
        self._durable[os.fstat(fd).st_ino] = _state(fd)

    def lacking(self, root: Path) -> list[str]:
        """The files and folders from `root` down that are not durable as they are."""
        paths = [root, *root.rglob("*")]
        return [
            str(path)
            for path in paths
            if self._durable.get(path.stat().st_ino) != _state(str(path))
        ]


def _state(path: int | str) -> int | frozenset[str]:
    status = os.stat(path)  # noqa: PTH116 - of a descriptor too
    if stat.S_ISDIR(status.st_mode):
        return frozenset(os.listdir(path))  # noqa: PTH208 - of a descriptor too
    return status.st_size
