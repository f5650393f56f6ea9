"""Where things are made complete before they appear: a folder of its own under `staging/`.

Files are copied in and hashed on the way, each fsynced; `publish` seals a staged folder and
renames it to where it belongs, in one step. Whatever is still staged at the end is removed; what
a crash leaves behind is invisible to readers.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, Self, TypeAlias

from model_store.files import FileEntry
from model_store.names import check_relative_path, new_id
from model_sync.errors import FULL, RequestError
from model_sync.store_io import durable
from model_sync.store_io.disk_space import writing
from model_sync.store_io.hashing import Hashing

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from model_store.layout import StoreLayout

Write: TypeAlias = "Callable[[bytes], None]"

BLOCK_BYTES: Final = 1 << 18
"""Small enough for the allocator to use the same memory again, which fresh pages would not be."""
_ZEROS: Final = bytes(BLOCK_BYTES)


class Bytes(Protocol):
    """Files by name, to be copied."""

    def copy(self, path: str, write: Write) -> None:
        """Give all bytes of one file to `write`, in order and in bounded memory."""


class Staging:
    """One writer's staging folder, as a context manager; leaving it removes what is in it.

    It is made when it is first asked for: a verb that finds everything as asked writes nothing.

    An OSError that says that the file system is full leaves it as a SpaceError (disk_space.py).
    `resume` is the id of one that was kept: entering raises RequestError where that is gone.
    """

    def __init__(self, layout: StoreLayout, *, resume: str | None = None) -> None:
        self.id: Final = resume or new_id()
        self._folder = layout.staging(self.id)
        self._root = layout.root
        self._exists = resume is not None
        self._kept = False

    def __enter__(self) -> Self:
        if self._exists and not self._folder.is_dir():
            raise RequestError(f"{self._folder} is gone: publish again, from the beginning")
        return self

    @property
    def folder(self) -> Path:
        """The folder, which is there."""
        if not self._exists:
            with writing(str(self._folder)):
                durable.make_folder(self._folder, within=self._root)
            self._exists = True
        return self._folder

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._kept:
            return
        # Also where making it failed in the middle: whether it is there is not known then.
        if self._exists or error is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                durable.sync_folder(self._folder.parent)
        if isinstance(error, OSError) and error.errno in FULL:
            with writing(str(error.filename or self._folder)):
                raise error

    def keep(self) -> None:
        """Leave it as it is on leaving, for one who resumes it."""
        self._kept = True

    def path(self, name: str) -> Path:
        """A name in the staging folder."""
        return self.folder / check_relative_path(name)

    def publish(self, name: str, target: Path) -> None:
        """Seal a staged folder and rename it to `target`, which must not exist."""
        folder = self.path(name)
        seal(folder)
        durable.make_folder(target.parent, within=self._root)
        durable.rename(folder, target)

    def withdraw(self, target: Path) -> None:
        """Take a folder that no refs name out of readers' sight; it goes with the staging."""
        durable.rename(target, self.folder / f"unused-{target.name}")


def copy_in(
    source: Bytes,
    path: str,
    folder: Path,
    target: str,
    advance: Callable[[int], None],
    *,
    size_bytes: int = 0,
) -> FileEntry:
    """Copy a source's file to `target` in a staged folder and hash it on the way.

    The file is durable, its name is so once the folder is sealed. `advance` is told each block's
    bytes. Blocks of zeros become holes, as they were in a sparse original. Returns what the
    manifest will say of the file. Raises SourceError; SpaceError, which says how much is missing
    of `size_bytes`, if that is known.
    """
    place = folder / check_relative_path(target)
    place.parent.mkdir(parents=True, exist_ok=True)
    size = written = 0

    def missing_bytes() -> int:
        return max(size_bytes, size) - written

    with (
        writing(target, missing_bytes),
        Hashing() as hashing,
        os.fdopen(durable.create_file(place), "wb", buffering=0) as out,
    ):
        write_back = durable.start_writeback(out.fileno())

        def write(block: bytes) -> None:
            nonlocal size, written
            hashing.update(block)
            size += len(block)
            if _ZEROS.startswith(block):
                written = out.seek(size)
            view = memoryview(block)
            while written < size:
                written += out.write(view[written - size :])
            write_back(size)
            advance(len(block))

        source.copy(path, write)
        out.truncate(size)  # it may end in a hole
        os.fsync(out.fileno())
    return FileEntry(target, size, hashing.digest())


def seal(folder: Path) -> None:
    """Give all folders their mode and make all names durable, the deepest first."""
    for parent, _, _ in os.walk(folder, topdown=False):
        Path(parent).chmod(durable.FOLDER_MODE)
        durable.sync_folder(Path(parent))
