"""Batches from a folder on this machine into another.

Inputs are the files below the folder, by their paths with `/`. Names that begin with a dot are
left out, and links to folders are not followed. An output is written under a name of its own at
the top of its folder and renamed into place, so a reader sees all of it or nothing.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Any, Final

from inference.batch.errors import ObjectGoneError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES: Final = 1 << 20


def find_inputs(folder: Path) -> list[str]:
    """Name the inputs below a folder, sorted. Raises OSError for a folder that cannot be read."""
    found: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        within = os.path.relpath(parent, folder)
        found.extend(
            os.path.normpath(os.path.join(within, name))  # noqa: PTH118 - of strings
            for name in names
            if not name.startswith(".")
        )
    return sorted(found)


class FolderInput:
    """A file. Made at once; raises StorageError for what is no regular file that can be read."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._path = folder / name
        if not _is_text(name):
            raise StorageError(f"{name!r} has no UTF-8 form: rename it")
        try:
            self._stat = self._path.stat()
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(self._stat.st_mode):
            raise StorageError(f"{self._path} is not a regular file")

    @property
    def size_bytes(self) -> int:
        """Its size when it was found."""
        return self._stat.st_size

    def describe(self) -> dict[str, Any]:
        """Its path in the folder, and its size."""
        return {"key": self.name, "size_bytes": self.size_bytes}

    def blocks(self) -> Iterator[bytes]:
        """Read it in blocks of a mebibyte."""
        try:
            with self._path.open("rb") as stream:
                while block := stream.read(BLOCK_BYTES):
                    yield block
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error.strerror}") from error

    def confirm(self) -> None:
        """Raise ObjectGoneError if the file was changed, replaced or deleted since."""
        try:
            now = self._path.stat()
        except OSError:
            raise ObjectGoneError(f"{self._path} was deleted while it was read") from None
        if _identity(now) != _identity(self._stat):
            raise ObjectGoneError(f"{self._path} was changed while it was read")


class FolderOutputs:
    """A folder that is made when the first output is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, key: str, content_type: str) -> FolderOutput:
        """Begin an output; its content type is not kept."""
        return FolderOutput(self._folder, self._folder / key)

    def remove(self, key: str) -> None:
        """Delete an output if it is there."""
        path = self._folder / key
        with _faults_of(path), contextlib.suppress(FileNotFoundError):
            path.unlink()


class FolderOutput:
    """One file that is being written."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._path = path
        self._unfinished = folder / f".coldpress-{os.urandom(8).hex()}.part"
        with _faults_of(path):
            folder.mkdir(parents=True, exist_ok=True)
            self._stream = self._unfinished.open("xb")

    def write(self, data: bytes) -> None:
        """Add bytes."""
        with _faults_of(self._path):
            self._stream.write(data)

    def commit(self) -> None:
        """Rename the file into place; folders on the way are made."""
        with _faults_of(self._path):
            self._stream.close()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._unfinished.replace(self._path)

    def discard(self) -> None:
        """Remove what was written, unless it is in place."""
        with contextlib.suppress(OSError):  # closing flushes, and may find the disk full
            self._stream.close()
        with contextlib.suppress(OSError):
            self._unfinished.unlink()


@contextlib.contextmanager
def _faults_of(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def _identity(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _raise(error: OSError) -> None:
    raise error
