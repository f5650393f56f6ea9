"""Check a published folder without reading its files: unlisted entries, and modes."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from model_sync.store_io.durable import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from model_sync.verify.published_folders import PublishedFolder


def unlisted_entries_and_modes(published: PublishedFolder, *, optional: str = "") -> Iterator[str]:
    """Yield a line for each entry that no manifest lists, and for each wrong mode.

    An unlisted folder is one line, whatever it holds. `optional`: a file that may exist without
    being listed. Raises OSError.
    """
    files = {optional, *(entry.path for entry in published.files)}
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    return _walk(published.folder, ".", files, folders)


def is_complete(published: PublishedFolder) -> bool:
    """Return True if a folder holds exactly its files, by kinds, sizes and modes."""
    try:
        if next(unlisted_entries_and_modes(published), None) is not None:
            return False
        return all(
            _is_file_of_size(published.folder / entry.path, entry.size_bytes)
            for entry in published.files
        )
    except OSError:
        return False


def mode_fault(path: Path, mode: int) -> str | None:
    """Return a line on a wrong mode of a file or folder, given by lstat; None if it is right."""
    if stat.S_ISLNK(mode):
        return None
    expected = FOLDER_MODE if stat.S_ISDIR(mode) else FILE_MODE
    if stat.S_IMODE(mode) == expected:
        return None
    return f"{spelled(path)} has mode {stat.S_IMODE(mode):04o}, not {expected:04o}"


def spelled(path: Path) -> str:
    """Return a path as text on one line; names with unprintable characters are escaped."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _walk(
    root: Path, inside: str, files: Collection[str], folders: Collection[str]
) -> Iterator[str]:
    here = root / inside
    if fault := mode_fault(here, here.lstat().st_mode):
        yield fault
    with os.scandir(here) as scan:
        entries = sorted(scan, key=lambda each: each.name)
    for each in entries:
        path = each.name if inside == "." else f"{inside}/{each.name}"
        entry_path = Path(each.path)
        if path in folders and each.is_dir(follow_symlinks=False):
            yield from _walk(root, path, files, folders)
        elif path not in files:
            yield _unlisted(each, entry_path)
        elif each.is_file(follow_symlinks=False) and (  # other kinds fail when they are read
            fault := mode_fault(entry_path, each.stat(follow_symlinks=False).st_mode)
        ):
            yield fault


def _unlisted(each: os.DirEntry[str], path: Path) -> str:
    if each.is_symlink():
        return f"{spelled(path)} is a link: nothing below a store's root is one"
    if each.name == "__pycache__":
        return f"{spelled(path)} was written by a Python that ran from here: mount it read-only"
    return f"{spelled(path)} was not published: no manifest lists it"


def _is_file_of_size(path: Path, size_bytes: int) -> bool:
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and status.st_size == size_bytes
