"""A model's folder on this machine, as a Source (source.py).

Only files inside the folder are taken. A symbolic link is followed and stored as what it points
at, if that is inside too; one that leads out, a device, a pipe or a socket is refused.
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
        """The paths of all files below a folder, sorted, hidden ones left out."""
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
        """Tell whether there is such a file."""
        # A link to nothing is there, and cannot be read: that is for whoever reads it to say.
        place = self.folder / path
        return os.path.lexists(place) and not place.is_dir()

    def size_bytes(self, path: str) -> int:
        """The size of one file."""
        with self._open(path) as stream:
            return os.fstat(stream.fileno()).st_size

    def copy(self, path: str, write: Write) -> None:
        """Give all bytes of one file to `write`, in blocks of 256 KiB at most."""
        with self._open(path) as stream:
            while block := self._read(stream, path):
                write(block)

    def _read(self, stream: BufferedReader, path: str) -> bytes:
        """The next bytes; those of a hole are not asked of the system, which would cache them."""
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
            # To open a device may do something, to open a pipe would wait for a writer.
            if not stat.S_ISREG(real.stat().st_mode):
                raise SourceError(f"{shown} is not a regular file")
            fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise MissingError(f"{shown} is missing") from None
        except InvalidNameError as error:
            raise SourceError(f"{self.folder}: {error}") from error
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before 3.13
            raise SourceError(f"{shown} cannot be read: {error}") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):  # it became another meanwhile
            os.close(fd)
            raise SourceError(f"{shown} is not a regular file")
        return os.fdopen(fd, "rb")


def _hole_bytes(stream: BufferedReader) -> int:
    """How many bytes there are before the next data, or the end; the place stays where it is."""
    place = stream.tell()
    try:
        data = stream.seek(place, os.SEEK_DATA)
    except OSError as error:  # EINVAL and the like: it cannot say
        data = stream.seek(0, os.SEEK_END) if error.errno == errno.ENXIO else place
    stream.seek(place)
    return max(data - place, 0)  # it may have shrunk meanwhile


def _refuse_unlisted(error: OSError) -> None:
    raise SourceError(f"{_printable(error.filename)} cannot be listed: {error.strerror}") from error


def _printable(path: Path | str) -> str:
    """A path as messages show it: in one line, and as it is."""
    text = str(path)
    return text if text.isprintable() else ascii(text)
