"""Looks over a published folder without reading its files: what does not belong, and modes."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from model_sync.store_io.durable import FILE_MODE, FOLDER_MODE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from model_sync.verify.published_folders import PublishedFolder


def strangers_and_modes(published: PublishedFolder, *, may_be: str = "") -> Iterator[str]:
    """Say in a line each what is in a folder and not of it, and whose mode is not the store's.

    A folder that does not belong is one line, whatever is in it. `may_be` may be there and need
    not. Raises OSError.
    """
    files = {may_be, *(entry.path for entry in published.files)}
    folders = {str(parent) for path in files for parent in PurePosixPath(path).parents}
    return _look(published.folder, ".", files, folders)


def is_complete(published: PublishedFolder) -> bool:
    """Tell, by sizes and kinds alone, whether a folder is there and holds its files and no more."""
    try:
        if next(strangers_and_modes(published), None) is not None:
            return False
        return all(
            _is_file_of(published.folder / entry.path, entry.size_bytes)
            for entry in published.files
        )
    except OSError:
        return False


def mode_fault(path: Path, mode: int) -> str | None:
    """Say what is wrong with the mode that lstat gave for a file or folder; None: nothing is."""
    if stat.S_ISLNK(mode):
        return None
    right = FOLDER_MODE if stat.S_ISDIR(mode) else FILE_MODE
    if stat.S_IMODE(mode) == right:
        return None
    return f"{spelled(path)} has mode {stat.S_IMODE(mode):04o}, not {right:04o}"


def spelled(path: Path) -> str:
    """A path on one line, whatever its names hold."""
    text = str(path)
    return text if text.isprintable() else ascii(text)


def _look(
    root: Path, inside: str, files: Collection[str], folders: Collection[str]
) -> Iterator[str]:
    here = root / inside
    if fault := mode_fault(here, here.lstat().st_mode):
        yield fault
    with os.scandir(here) as found:
        entries = sorted(found, key=lambda each: each.name)
    for each in entries:
        path = each.name if inside == "." else f"{inside}/{each.name}"
        place = Path(each.path)
        if path in folders and each.is_dir(follow_symlinks=False):
            yield from _look(root, path, files, folders)
        elif path not in files:
            yield _stranger(each, place)
        elif each.is_file(follow_symlinks=False) and (  # what else it is, reading it tells
            fault := mode_fault(place, each.stat(follow_symlinks=False).st_mode)
        ):
            yield fault


def _stranger(each: os.DirEntry[str], place: Path) -> str:
    if each.is_symlink():
        return f"{spelled(place)} is a link: nothing below a store's root is one"
    if each.name == "__pycache__":
        return f"{spelled(place)} was written by a Python that ran from here: mount it read-only"
    return f"{spelled(place)} was not published: no manifest lists it"


def _is_file_of(path: Path, size_bytes: int) -> bool:
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size == size_bytes
