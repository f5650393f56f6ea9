"""Contents that would survive a power cut: only those fsynced in their current state."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


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


class Appearances:
    """Renames and links into readers' folders, and contents that were not durable then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.lacking: list[str] = []
        self._synced = Synced()
        rename, link, fsync = os.rename, os.link, os.fsync

        def renaming(source: Path, target: Path) -> None:
            self._look(source, target)
            rename(source, target)

        def linking(source: Path, target: Path) -> None:
            self._look(source, target)
            link(source, target)

        def syncing(fd: int) -> None:
            fsync(fd)
            self._synced.take(fd)

        monkeypatch.setattr(os, "rename", renaming)
        monkeypatch.setattr(os, "link", linking)
        monkeypatch.setattr(os, "fsync", syncing)

    def _look(self, source: Path, target: Path) -> None:
        if "staging" not in Path(target).parts:
            self.names.append(Path(target).name)
            self.lacking += self._synced.lacking(Path(source))

    def lost(self, root: Path) -> list[str]:
        """Return the paths below `root` that a power cut would lose now."""
        return self._synced.lacking(root)


def _state(path: int | str) -> int | frozenset[str]:
    status = os.stat(path)  # noqa: PTH116 - of a descriptor too
    if stat.S_ISDIR(status.st_mode):
        return frozenset(os.listdir(path))  # noqa: PTH208 - of a descriptor too
    return status.st_size
