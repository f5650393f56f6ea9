"""Where bytes come from: a folder on this machine.

Only files inside the folder are taken. A symbolic link is followed and stored as what it points
at, if that is inside too; one that leads out, a device, a pipe or a socket is refused.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from model_sync.errors import SourceError

if TYPE_CHECKING:
    from io import BufferedReader
    from pathlib import Path


class FolderSource:
    """A model's folder. Reading happens when called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._real = folder.resolve()

    def open(self, path: str) -> BufferedReader:
        """Open one file for reading; raises SourceError naming it."""
        try:
            real = (self.folder / check_relative_path(path)).resolve(strict=True)
            if not real.is_relative_to(self._real):
                raise SourceError(f"{self.folder / path} leads out of the model's folder")
            # Opening a pipe would wait for a writer; what it is is asked of what was opened.
            fd = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            raise SourceError(f"{self.folder / path} is missing") from None
        except InvalidNameError as error:
            raise SourceError(f"{self.folder}: {error}") from error
        except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, before 3.13
            raise SourceError(f"{self.folder / path} cannot be read: {error}") from error
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise SourceError(f"{self.folder / path} is not a regular file")
        return os.fdopen(fd, "rb")

    def size_bytes(self, path: str) -> int:
        """The size of one file; raises SourceError."""
        with self.open(path) as stream:
            return os.fstat(stream.fileno()).st_size

    def files(self, below: str = ".") -> tuple[str, ...]:
        """The paths of all files below a folder, sorted, hidden ones left out."""
        found: list[str] = []
        root = self.folder / below
        if not root.is_dir():
            raise SourceError(f"{root} is no folder")
        for parent, folders, names in os.walk(root, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if not os.path.realpath(parent).startswith(str(self._real)):
                raise SourceError(f"{parent} leads out of the model's folder")
            found.extend(
                os.path.relpath(os.path.join(parent, name), self.folder)  # noqa: PTH118 - of strings
                for name in names
                if not name.startswith(".")
            )
        return tuple(sorted(found))
