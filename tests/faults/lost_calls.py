"""Replays a process's system calls (kill_trace.py) on the model of a disk (lost_writes.py).

    replay = Replay(disk, umask=0o077)
    for call in read_calls(lines):
        if replay.do(call):
            ...                             # names, bytes, modes or what is durable have changed

Descriptors are followed from their opening, so the trace must begin before anything is opened.
Calls about anything that is not on the disk are left out. One that the model does not know raises
NotImplementedError: nothing that changes the disk may be overlooked.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.faults.kill_trace import CHANGES
from tests.faults.lost_writes import Disk, File, Folder

if TYPE_CHECKING:
    from tests.faults.kill_trace import Call
    from tests.faults.lost_writes import Node, Place

_HERE: Final = "AT_FDCWD"


class _Opened:
    """An open file or folder, and where the next write goes."""

    def __init__(self, node: Node, *, appends: bool) -> None:
        self.node = node
        self.appends = appends
        self.offset = 0


class Replay:
    """One process's calls on a disk, from its first one on."""

    def __init__(self, disk: Disk, *, umask: int) -> None:
        self._disk: Final = disk
        self._umask: Final = umask
        self._open: Final[dict[int, _Opened]] = {}

    def do(self, call: Call) -> bool:
        """Do what a call did; True if it was about the disk, and more than opening or closing."""
        if call.name not in CHANGES:
            raise NotImplementedError(f"the model does not know {call.name}")
        match call.name:
            case "open" | "openat":
                return self._opens(call)
            case "close":
                self._open.pop(call.number(0), None)
                return False
            case "dup" | "dup2" | "dup3" | "fcntl":
                return self._duplicates(call)
            case "lseek" | "write" | "pwrite64" | "ftruncate" | "fsync" | "fdatasync" | "fchmod":
                opened = self._open.get(call.number(0))
                return opened is not None and self._changes_opened(call, opened)
            case "chmod" | "fchmodat":
                node = self._node(*_paths(call)[0])
                if node:
                    node.mode = call.number(1 if call.name == "chmod" else 2)
                return node is not None
            case _:
                return self._changes_names(call)

    def _opens(self, call: Call) -> bool:
        self._open.pop(call.result, None)
        folder, path = _paths(call)[0]
        flags, *mode = call.arguments[1 if call.name == "open" else 2 :]
        node, place = self._node(folder, path), self._place(folder, path)
        changed = False
        if node is None and place and "O_CREAT" in str(flags):
            node = self._disk.create(place, int(str(mode[0]), 8) & ~self._umask)
            changed = True
        if node is None:
            return False
        if "O_TRUNC" in str(flags) and isinstance(node, File):
            node.truncate(0)
            changed = True
        self._open[call.result] = _Opened(node, appends="O_APPEND" in str(flags))
        return changed

    def _duplicates(self, call: Call) -> bool:
        if call.name != "fcntl" or call.text(1).startswith("F_DUPFD"):
            opened = self._open.get(call.number(0))
            self._open.pop(call.result, None)
            if opened:
                self._open[call.result] = opened
        return False

    def _changes_opened(self, call: Call, opened: _Opened) -> bool:
        node = opened.node
        match call.name:
            case "fsync" | "fdatasync":
                node.sync()
            case "fchmod":
                node.mode = call.number(1)
            case "lseek":
                opened.offset = call.result
                return False
            case "write" if isinstance(node, File):
                start = len(node.data) if opened.appends else opened.offset
                node.write(start, call.data(1)[: call.result])
                opened.offset = start + call.result
            case "pwrite64" if isinstance(node, File):
                node.write(call.number(3), call.data(1)[: call.result])
            case "ftruncate" if isinstance(node, File):
                node.truncate(call.number(1))
            case _:
                raise NotImplementedError(f"{call.name} of a folder")
        return True

    def _changes_names(self, call: Call) -> bool:
        paths = _paths(call)
        places = [self._place(*path) for path in paths]
        if not any(places):
            return False
        if None in places:
            raise NotImplementedError(f"{call.name} between the disk and elsewhere: {paths}")
        first, last = places[0], places[-1]
        if first is None or last is None:
            raise AssertionError
        match call.name:
            case "mkdir" | "mkdirat":
                self._disk.make_folder(first, call.number(len(call.arguments) - 1) & ~self._umask)
            case "unlink" | "unlinkat" | "rmdir":
                self._disk.remove(first)
            case "link" | "linkat":
                self._disk.name(first[0].names[first[1]], last)
            case "rename" | "renameat":
                self._disk.rename(first, last)
            case "renameat2" if call.text(4) in {"0", "RENAME_NOREPLACE"}:
                self._disk.rename(first, last)
            case _:
                raise NotImplementedError(f"the model does not know this {call.name}")
        return True

    def _place(self, folder: str, path: str) -> Place | None:
        """Return a path's place on the simulated disk; None outside of it."""
        if folder != _HERE and not path.startswith("/"):
            opened = self._open.get(int(folder))
            if opened is None or not isinstance(opened.node, Folder):
                return None
            return self._disk.below(opened.node, path)
        return self._disk.place(Path(path))

    def _node(self, folder: str, path: str) -> Node | None:
        if folder == _HERE and self._disk.node(Path(path)) is self._disk.top:
            return self._disk.top
        place = self._place(folder, path)
        return place[0].names.get(place[1]) if place else None


def _paths(call: Call) -> list[tuple[str, str]]:
    """The paths among a call's arguments, each with the folder that it is relative to."""
    has_folders = call.name.endswith(("at", "at2"))
    count = 2 if call.name.startswith(("link", "rename")) else 1
    if has_folders:
        return [(call.text(2 * n), call.text(2 * n + 1)) for n in range(count)]
    return [(_HERE, call.text(n)) for n in range(count)]
