"""Snapshots of a tree, to compare with later states."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.digests import Digest

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import ModelLayout

FOLDER: Final = 0o755
FILE: Final = 0o644


class Node(NamedTuple):
    """Everything of a file or folder that a reader, or an NFS client, could notice."""

    mode: int
    inode: int
    links: int
    mtime_ns: int
    ctime_ns: int
    content: str


def snapshot(root: Path) -> dict[str, Node]:
    """Every file and folder from `root` down; empty if there is none."""
    paths = [root, *root.rglob("*")] if root.exists() else []
    return {str(path.relative_to(root)): _node(path) for path in paths}


def modes(root: Path) -> dict[str, int]:
    """The permissions of what is below `root`."""
    return {str(path.relative_to(root)): path.stat().st_mode & 0o7777 for path in root.rglob("*")}


def ids_in(model: ModelLayout) -> tuple[set[str], set[str]]:
    """The folders that there are of a model's versions and preparations."""
    return _names(model.versions), _names(model.preparations)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def _node(path: Path) -> Node:
    status = path.lstat()
    content = ""
    if path.is_symlink():
        content = str(path.readlink())
    elif stat.S_ISREG(status.st_mode):
        content = str(Digest.of_bytes(path.read_bytes()))
    return Node(
        status.st_mode,
        status.st_ino,
        status.st_nlink,
        status.st_mtime_ns,
        status.st_ctime_ns,
        content,
    )
