"""Open files below a folder, and check them against a manifest's entries."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from model_store.digests import Digest
from model_store.documents import Fields
from model_store.errors import DamagedError
from model_store.names import check_relative_path

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path

# O_PATH opens a folder for traversal only. Opening it for reading would cost an NFS client a round
# trip, and needs a permission that traversal does not.
_FOLDER: Final = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_PART_BYTES: Final = 1 << 20


class FileEntry(NamedTuple):
    """A file's path in its folder (with `/`), its size and its digest."""

    path: str
    size_bytes: int
    digest: Digest

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return {"path": self.path, "size_bytes": self.size_bytes, "digest": str(self.digest)}

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read a value from `to_json`.

        Raises DamagedError, also for a path that leaves the folder.
        """
        fields = Fields(value, where)
        path = fields.name("path", check_relative_path)
        entry = cls(path, fields.integer("size_bytes", minimum=0), fields.digest("digest"))
        fields.done()
        return entry


def parse_files(values: list[object], where: str) -> tuple[FileEntry, ...]:
    """Read a manifest's list of files, sorted by path, without duplicates; raises DamagedError."""
    entries = tuple(FileEntry.from_json(value, where) for value in values)
    paths = [entry.path for entry in entries]
    if paths != sorted(set(paths)):
        raise DamagedError(f"{where} is not sorted by path, or names a path twice")
    return entries


def open_beneath(folder: Path, path: str) -> BufferedReader:
    """Open a regular file below `folder` for reading, without following links below it.

    `folder` itself may be reached through links: a mount may be one. Raises OSError (ELOOP or
    ENOTDIR if the path contains a link, EINVAL for a folder, pipe or device) and InvalidNameError
    for a path that leaves the folder.
    """
    # O_NONBLOCK: opening a pipe would wait for a writer.
    fd = _open_at(folder, path, os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "not a regular file", str(folder / path))
    return os.fdopen(fd, "rb")


def read_beneath(folder: Path, path: str, limit_bytes: int) -> bytes:
    """Return the bytes of a file below `folder`, without following links below it.

    Raises OSError and InvalidNameError as `open_beneath` does, and DamagedError for a file of more
    than `limit_bytes`, which is not read into memory.
    """
    data = bytearray()
    with os.fdopen(_open_at(folder, path, 0), "rb", buffering=0) as stream:
        size = os.fstat(stream.fileno()).st_size
        while size <= limit_bytes and (part := stream.read(_PART_BYTES)):
            data += part
            size = max(size, len(data))  # the file may have grown, or report no size
    if size > limit_bytes:
        raise DamagedError(f"{folder / path} is larger than {limit_bytes} bytes")
    return bytes(data)


def check_file(folder: Path, entry: FileEntry) -> None:
    """Read a whole file and compare it with its manifest's entry; raises DamagedError."""
    try:
        with open_beneath(folder, entry.path) as stream:
            digest = Digest.of_stream(stream)
            size = stream.tell()
    except OSError as error:
        raise DamagedError(f"{folder / entry.path} cannot be read: {error.strerror}") from error
    _compare(folder, entry, size, digest)


def read_checked(folder: Path, entry: FileEntry) -> bytes:
    """Return a file's bytes if they match its manifest's entry; raises DamagedError."""
    try:
        with open_beneath(folder, entry.path) as stream:
            # One byte more detects growth. The file's real size bounds the memory.
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(min(entry.size_bytes, size) + 1)
    except OSError as error:
        raise DamagedError(f"{folder / entry.path} cannot be read: {error.strerror}") from error
    _compare(folder, entry, len(data), Digest.of_bytes(data))
    return data


def _open_at(folder: Path, path: str, flags: int) -> int:
    *parents, name = check_relative_path(path).split("/")
    fd = os.open(folder, _FOLDER)
    try:
        for parent in parents:
            inner = os.open(parent, _FOLDER | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = inner
        return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=fd)
    finally:
        os.close(fd)


def _compare(folder: Path, entry: FileEntry, size: int, digest: Digest) -> None:
    if (size, digest) != (entry.size_bytes, entry.digest):
        raise DamagedError(
            f"{folder / entry.path} is damaged: {size} bytes with digest {digest}, "
            f"published as {entry.size_bytes} bytes with digest {entry.digest}"
        )
