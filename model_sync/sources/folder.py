"""A model's folder on this machine, as a Source (source.py).

Only files inside the folder are read. A symbolic link to a file inside the folder is followed, and
the file's contents are stored. A link that leads out of the folder, a device, a pipe and a socket
are refused.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from model_sync.errors import MissingError, SourceError
from model_sync.store_io.staging import BLOCK_BYTES

if TYPE_CHECKING:
    from io import BufferedReader

    from model_sync.store_io.staging import Write

_ZEROS: Final = bytes(BLOCK_BYTES)


class FolderSource:
    """A model's folder on this machine."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder
        self._real = folder.resolve()

    @property
    def name(self) -> str:
        """The folder's path."""
        return str(self.folder)

    def files(self, below: str = ".") -> tuple[str, ...]:
        """Return the sorted paths of all files below a folder, without hidden files."""
        found: list[str] = []
        root = self.folder / below
        if not root.is_dir():
            raise SourceError(f"{root} is no folder")
        above: dict[str, frozenset[str]] = {}
        for parent, folders, names in os.walk(root, followlinks=True, onerror=_refuse_unlisted):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            real = os.path.realpath(parent)
            if not Path(real).is_relative_to(self._real):
                raise SourceError(f"{_printable(parent)} leads out of the model's folder")
            outer = above.get(os.path.dirname(parent), frozenset())  # noqa: PTH120 - of strings
            if real in outer:
                raise SourceError(f"{_printable(parent)} links to a folder above it")
            above[parent] = outer | {real}
            found.extend(
                os.path.relpath(os.path.join(parent, name), self.folder)  # noqa: PTH118 - of strings
                for name in names
                if not name.startswith(".")
            )
        return tuple(sorted(found))

    def has(self, path: str) -> bool:
        """Return True if the file exists."""
        # A broken link counts as existing, so that reading it raises an error that names it.
        place = self.folder / path
        return os.path.lexists(place) and not place.is_dir()

    def size_bytes(self, path: str) -> int:
        """Return the size of one file."""
        with self._open(path) as stream:
            return os.fstat(stream.fileno()).st_size

    def copy(self, path: str, write: Write) -> None:
        """Pass all bytes of one file to `write`, in blocks of at most 256 KiB."""
        with self._open(path) as stream:
            while block := self._read(stream, path):
                write(block)

    def _read(self, stream: BufferedReader, path: str) -> bytes:
        """Return the next block. Holes are not read, because the system would cache their zeros."""
        try:
            hole = _hole_bytes(stream)
            if hole:
                stream.seek(min(hole, BLOCK_BYTES), os.SEEK_CUR)
            return _ZEROS[:hole] if hole else stream.read(BLOCK_BYTES)
        except OSError as error:
            raise SourceError(
                f"{_printable(self.folder / path)} cannot be read: {error}"
            ) from error

    def _open(self, path: str) -> BufferedReader:
        shown = _printable(self.folder / path)
        try:
            real = (self.folder / check_relative_path(path)).resolve(strict=True)
            if not real.is_relative_to(self._real):
                raise SourceError(f"{shown} leads out of the model's folder")
            # Check before opening: that may trigger a device, or wait for a pipe's writer.
            if not stat.S_ISREG(real.stat().st_mode):
                raise SourceError(f"{shown} is not a regular file")
            fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingError(f"{shown} is missing") from None
        except InvalidNameError as error:
            raise SourceError(f"{self.folder}: {error}") from error
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before 3.13
            raise SourceError(f"{shown} cannot be read: {error}") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # replaced since the check above
            os.close(fd)
            raise SourceError(f"{shown} is not a regular file")
        return os.fdopen(fd, "rb")


def _hole_bytes(stream: BufferedReader) -> int:
    """Return the number of bytes before the next data or the end; keep the stream's position."""
    place = stream.tell()
    try:
        data = stream.seek(place, os.SEEK_DATA)
    except OSError as error:  # other errors, as EINVAL: SEEK_DATA is not supported
        data = stream.seek(0, os.SEEK_END) if error.errno == errno.ENXIO else place
    stream.seek(place)
    return max(data - place, 0)  # negative if the file has just shrunk


def _refuse_unlisted(error: OSError) -> None:
    raise SourceError(f"{_printable(error.filename)} cannot be listed: {error.strerror}") from error


def _printable(path: Path | str) -> str:
    """Return a path for messages: on one line, with unprintable characters escaped."""
    text = str(path)
    return text if text.isprintable() else ascii(text)
