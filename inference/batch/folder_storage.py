"""Batch storage in folders of this machine.

Inputs are the files below the input folder, named by their relative paths with `/`. Names that
begin with a dot are left out, and links to folders are not followed. An output is written under a
temporary name at the top of the output folder and renamed into place, so a reader sees a complete
file or none.
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
    """Return the names of the inputs below a folder, sorted; raises OSError."""
    inputs: list[str] = []
    for parent, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        within = os.path.relpath(parent, folder)
        inputs.extend(
            os.path.normpath(os.path.join(within, name))  # noqa: PTH118 - strings
            for name in names
            if not name.startswith(".")
        )
    return sorted(inputs)


class FolderInput:
    """A file. Construction raises StorageError if it is not a readable regular file."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self._path = folder / name
        if not _is_text(name):
            raise StorageError(f"{name!r} is not valid UTF-8: rename the file")
        try:
            self._stat = self._path.stat()
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error.strerror}") from error
        if not stat.S_ISREG(self._stat.st_mode):
            raise StorageError(f"{self._path} is not a regular file")

    @property
    def size_bytes(self) -> int:
        """Size of the file at construction."""
        return self._stat.st_size

    def describe(self) -> dict[str, Any]:
        """Return the relative path and the size."""
        return {"key": self.name, "size_bytes": self.size_bytes}

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in blocks of a mebibyte."""
        try:
            with self._path.open("rb") as stream:
                while block := stream.read(BLOCK_BYTES):
                    yield block
        except OSError as error:
            raise StorageError(f"{self._path} cannot be read: {error.strerror}") from error

    def confirm(self) -> None:
        """Raise ObjectGoneError if the file was changed, replaced or deleted since construction."""
        try:
            now = self._path.stat()
        except OSError:
            raise ObjectGoneError(f"{self._path} was deleted while it was read") from None
        if _identity(now) != _identity(self._stat):
            raise ObjectGoneError(f"{self._path} was changed while it was read")


class FolderOutputs:
    """Output folder; created with the first output."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, key: str, content_type: str) -> FolderOutput:
        """Begin an output. The content type is ignored."""
        return FolderOutput(self._folder, self._folder / key)

    def remove(self, key: str) -> None:
        """Delete an output if it exists."""
        path = self._folder / key
        with _storage_errors(path), contextlib.suppress(FileNotFoundError):
            path.unlink()


class FolderOutput:
    """One output file, written under a temporary name."""

    def __init__(self, folder: Path, path: Path) -> None:
        self._path = path
        self._temporary = folder / f".coldpress-{os.urandom(8).hex()}.part"
        with _storage_errors(path):
            folder.mkdir(parents=True, exist_ok=True)
            self._stream = self._temporary.open("xb")

    def write(self, data: bytes) -> None:
        """Append bytes."""
        with _storage_errors(self._path):
            self._stream.write(data)

    def commit(self) -> None:
        """Rename the file into place; create its folder first."""
        with _storage_errors(self._path):
            self._stream.close()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.replace(self._path)

    def discard(self) -> None:
        """Remove the temporary file, if `commit` has not renamed it."""
        with contextlib.suppress(OSError):  # close() flushes: the disk may be full
            self._stream.close()
        with contextlib.suppress(OSError):
            self._temporary.unlink()


@contextlib.contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _raise(error: OSError) -> None:
    raise error
