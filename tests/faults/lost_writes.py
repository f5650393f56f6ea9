"""A model of a file system that loses, at a power cut, whatever was not fsynced.

- A file's bytes and mode are durable as they were at its last fsync; a new file is empty and has
  the mode that it was created with.
- A name (made, moved or removed) is durable once the folder that holds it was fsynced; a rename
  from one folder to another is two such changes, one in each.
- Of what was not fsynced, any part may have survived: of each folder's changes the first few, in
  their order; of each file its old bytes, its new ones, or the beginning of those.
- What is durable and has no durable name, down from the root, is lost.

This is stricter than ext4 or EFS: what is safe here is safe there. What a process did to it comes
from its trace (lost_calls.py); `worst` and `mixture` are what may be found after a power cut then.

    disk = Disk(root)                       # what is at `root` is durable
    file = disk.create(disk.place(root / "name"), 0o644)
    disk.worst().write(elsewhere)           # without the file
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random


class File:
    """A file as the running system sees it, and as it was at its last fsync."""

    def __init__(self, mode: int, data: bytes = b"") -> None:
        self.mode = self.durable_mode = mode
        self.data = bytearray(data)
        self.durable_data = data

    def write(self, start: int, data: bytes) -> None:
        """Write bytes; what is between the end and `start` is zeros."""
        self.data.extend(bytes(max(start - len(self.data), 0)))
        self.data[start : start + len(data)] = data

    def truncate(self, size: int) -> None:
        """Give the file a size."""
        self.write(size, b"")
        del self.data[size:]

    def sync(self) -> None:
        """Make the bytes and the mode durable."""
        self.durable_data, self.durable_mode = bytes(self.data), self.mode


class Folder:
    """A folder's names as the running system sees them, and at its last fsync."""

    def __init__(self, mode: int) -> None:
        self.mode = self.durable_mode = mode
        self.names: dict[str, Node] = {}
        self.durable_names: dict[str, Node] = {}
        self.pending: list[dict[str, Node | None]] = []
        """Each change since then: names and what they now mean, None for one removed."""

    def change(self, change: dict[str, Node | None]) -> None:
        """Change names, all of these at once."""
        _apply(self.names, change)
        self.pending.append(change)

    def sync(self) -> None:
        """Make the names and the mode durable."""
        self.durable_names, self.durable_mode = dict(self.names), self.mode
        self.pending = []


Node = File | Folder
Place = tuple[Folder, str]
"""A folder and a name in it, which may mean nothing yet."""


class Leaf(NamedTuple):
    """One surviving file (with its bytes) or folder (None)."""

    mode: int
    data: bytes | None


class Survivors(NamedTuple):
    """Contents after a power cut: by path from the root, each folder before its entries."""

    leaves: tuple[tuple[str, Leaf], ...]
    same: tuple[tuple[str, ...], ...]
    """Paths that are names of one and the same file or folder."""

    def write(self, root: Path) -> None:
        """Make it, at a path where nothing is."""
        first = {path: paths[0] for paths in self.same for path in paths[1:]}
        for path, leaf in self.leaves:
            place = root / path
            if leaf.data is None:
                place.mkdir()
            elif path in first:
                os.link(root / first[path], place)
            else:
                place.write_bytes(leaf.data)
        for path, leaf in reversed(self.leaves):
            (root / path).chmod(leaf.mode)

    def folders_with_two_names(self) -> list[tuple[str, ...]]:
        """Folders found in two places: emptying one would empty the other."""
        folders = {path for path, leaf in self.leaves if leaf.data is None}
        return [paths for paths in self.same if paths[0] in folders]


class Disk:
    """A file system from one folder down, which is always there. Paths are those of that folder."""

    def __init__(self, root: Path) -> None:
        self._root: Final = root
        loaded = _load(root)
        if not isinstance(loaded, Folder):
            raise NotADirectoryError(root)
        self.top: Final = loaded

    def place(self, path: Path) -> Place | None:
        """Return the folder and name of a path; None outside of the disk or without its folder."""
        if not path.is_relative_to(self._root) or path == self._root:
            return None
        return self.below(self.top, str(path.relative_to(self._root)))

    def node(self, path: Path) -> Node | None:
        """Return the node of a path; None outside of the disk, or if it does not exist."""
        if path == self._root:
            return self.top
        found = self.place(path)
        return found[0].names.get(found[1]) if found else None

    def below(self, folder: Folder, path: str) -> Place | None:
        """Return the folder and name of a path relative to a folder."""
        *above, name = path.split("/")
        for part in above:
            inner = folder.names.get(part)
            if not isinstance(inner, Folder):
                return None
            folder = inner
        return folder, name

    def create(self, place: Place, mode: int) -> File:
        """Make an empty file."""
        file = File(mode)
        self.name(file, place)
        return file

    def make_folder(self, place: Place, mode: int) -> Folder:
        """Make an empty folder."""
        folder = Folder(mode)
        self.name(folder, place)
        return folder

    def name(self, node: Node, place: Place) -> None:
        """Give a node a name, or one more."""
        place[0].change({place[1]: node})

    def rename(self, source: Place, target: Place) -> None:
        """Move a name; does nothing between two names of one file, as POSIX says."""
        node = source[0].names[source[1]]
        if target[0].names.get(target[1]) is node:
            return
        if source[0] is target[0]:
            source[0].change({target[1]: node, source[1]: None})
        else:
            target[0].change({target[1]: node})
            source[0].change({source[1]: None})

    def remove(self, place: Place) -> None:
        """Take a name away."""
        place[0].change({place[1]: None})

    def worst(self) -> Survivors:
        """Return the contents if everything that may be lost is lost."""
        return self._survivors(
            lambda folder: folder.durable_names,
            lambda file: file.durable_data,
            lambda node: node.durable_mode,
        )

    def best(self) -> Survivors:
        """Return the contents if nothing is lost: the view of the running system."""
        return self._survivors(
            lambda folder: folder.names, lambda file: bytes(file.data), lambda node: node.mode
        )

    def mixture(self, random: Random) -> Survivors:
        """Return a random state between these two that may survive."""

        def names(folder: Folder) -> dict[str, Node]:
            found = dict(folder.durable_names)
            for change in folder.pending[: random.randint(0, len(folder.pending))]:
                _apply(found, change)
            return found

        def data(file: File) -> bytes:
            new = bytes(file.data)
            if new == file.durable_data:
                return new
            return random.choice([file.durable_data, new, new[: random.randint(0, len(new))]])

        def mode(node: Node) -> int:
            return random.choice([node.durable_mode, node.mode])

        return self._survivors(names, data, mode)

    def _survivors(
        self,
        names: Callable[[Folder], dict[str, Node]],
        data: Callable[[File], bytes],
        mode: Callable[[Node], int],
    ) -> Survivors:
        leaves: list[tuple[str, Leaf]] = []
        paths: dict[int, list[str]] = {}
        # What became of one node holds for all of its names.
        became: dict[int, tuple[Leaf, dict[str, Node]]] = {}

        def keep(folder: dict[str, Node], above: str) -> None:
            for name, node in sorted(folder.items()):
                if id(node) not in became:
                    inside = names(node) if isinstance(node, Folder) else {}
                    bytes_ = data(node) if isinstance(node, File) else None
                    became[id(node)] = Leaf(mode(node), bytes_), inside
                leaf, inside = became[id(node)]
                leaves.append((above + name, leaf))
                paths.setdefault(id(node), []).append(above + name)
                keep(inside, f"{above}{name}/")

        keep(names(self.top), "")
        same = tuple(tuple(found) for found in paths.values() if len(found) > 1)
        return Survivors(tuple(leaves), same)


def _apply(names: dict[str, Node], change: dict[str, Node | None]) -> None:
    for name, node in change.items():
        if node is None:
            names.pop(name, None)
        else:
            names[name] = node


def _load(path: Path) -> Node:
    """A file or folder as it is, all of it durable. Hard links become files of their own."""
    mode = path.stat().st_mode & 0o7777
    if path.is_file():
        return File(mode, path.read_bytes())
    folder = Folder(mode)
    folder.names = {inner.name: _load(inner) for inner in path.iterdir()}
    folder.durable_names = dict(folder.names)
    return folder
