"""Names of inodes, learned from calls, so that a fault can select calls by path. Pure.

A file may have several names (hard links), and an open may use any of them. A name that another
client changes is stale here until it is looked up again.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Name = tuple[int, bytes]
"""A folder's inode, and a name in the folder."""


class KnownNames:
    """Inodes by name, and names by inode; the root has none."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._inodes: dict[Name, int] = {}
        self._names: dict[int, dict[Name, None]] = {}
        self._last: dict[int, Name] = {}

    def put(self, name: Name, inode: int) -> None:
        """Bind a name to an inode, replacing its previous binding."""
        self.remove(name)
        self._inodes[name] = inode
        self._names.setdefault(inode, {})[name] = None
        self._last[inode] = name

    def remove(self, name: Name) -> None:
        """Unbind a name. The inode's last name is kept to identify the inode."""
        inode = self._inodes.pop(name, None)
        if inode is not None:
            self._names[inode].pop(name, None)

    def move(self, old: Name, new: Name) -> None:
        """Record a rename, which replaces the binding of the new name."""
        inode = self._inodes.get(old)
        self.remove(old)
        self.remove(new)
        if inode is not None:
            self.put(new, inode)

    def forget(self, inode: int) -> None:
        """Drop an inode and its names."""
        for name in self._names.pop(inode, {}):
            self._inodes.pop(name, None)
        self._last.pop(inode, None)

    def paths(self, inode: int) -> list[str]:
        """Return all names of an inode, as paths from the root."""
        if inode == self._root:
            return [""]
        names: Iterable[Name] = self._names.get(inode) or [self._last.get(inode, (inode, b"?"))]
        return [self.path(name) for name in names]

    def path(self, name: Name) -> str:
        """Return a name as a path from the root."""
        parts = [name[1]]
        folder = name[0]
        while folder != self._root and folder in self._last:
            folder, part = self._last[folder]
            parts.append(part)
        return os.fsdecode(b"/".join(reversed(parts)))
