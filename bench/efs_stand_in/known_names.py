"""What inodes are called, as far as calls told: so that faults can be for a path. Pure.

A file may have several names (hard links), of which any may be meant by who opens it. Names that
another client changes are wrong here until they are looked up again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Name = tuple[int, bytes]
"""A folder's inode, and a name in it."""


class KnownNames:
    """Inodes by name, and names by inode; the root has none."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._inodes: dict[Name, int] = {}
        self._names: dict[int, dict[Name, None]] = {}
        self._last: dict[int, Name] = {}

    def put(self, name: Name, inode: int) -> None:
        """A name names an inode, and no other any more."""
        self.remove(name)
        self._inodes[name] = inode
        self._names.setdefault(inode, {})[name] = None
        self._last[inode] = name

    def remove(self, name: Name) -> None:
        """A name names nothing. The last that an inode had goes on telling which it was."""
        inode = self._inodes.pop(name, None)
        if inode is not None:
            self._names[inode].pop(name, None)

    def move(self, old: Name, new: Name) -> None:
        """A name was renamed, over what the new one named."""
        inode = self._inodes.get(old)
        self.remove(old)
        self.remove(new)
        if inode is not None:
            self.put(new, inode)

    def forget(self, inode: int) -> None:
        """An inode is not known any more."""
        for name in self._names.pop(inode, {}):
            self._inodes.pop(name, None)
        self._last.pop(inode, None)

    def paths(self, inode: int) -> list[str]:
        """All names of an inode, as paths from the root."""
        if inode == self._root:
            return [""]
        names: Iterable[Name] = self._names.get(inode) or [self._last.get(inode, (inode, b"?"))]
        return [self.path(name) for name in names]

    def path(self, name: Name) -> str:
        """A name as a path from the root."""
        parts = [name[1]]
        folder = name[0]
        while folder != self._root and folder in self._last:
            folder, part = self._last[folder]
            parts.append(part)
        return os.fsdecode(b"/".join(reversed(parts)))
