"""Staging: complete a folder under `staging/` before readers can see it.

Files are copied into the staging folder, hashed while copying and fsynced. `publish` seals a staged
folder and renames it to its final place in one step. The rest of the staging folder is removed at
the end. A crash may leave a staging folder behind; readers never look there.
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
"""Small enough that the allocator reuses the same memory instead of mapping fresh pages."""
_ZEROS: Final = bytes(BLOCK_BYTES)


class Bytes(Protocol):
    """Files that can be copied, by their names."""

    def copy(self, path: str, write: Write) -> None:
        """Pass all bytes of one file to `write`, in order and in bounded memory."""


class Staging:
    """One writer's staging folder, as a context manager; leaving the context removes the folder.

    The folder is created at the first use of `folder` or `path`, so an operation that changes
    nothing writes nothing. `resume` is the id of a staging folder that was kept; entering raises
    RequestError if that folder is gone. An OSError of a full file system leaves the context as a
    SpaceError (disk_space.py).
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
        """The staging folder, created if necessary."""
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
        # Also after an error: creating the folder may have failed halfway.
        if self._exists or error is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                durable.sync_folder(self._folder.parent)
        if isinstance(error, OSError) and error.errno in FULL:
            with writing(str(error.filename or self._folder)):
                raise error

    def keep(self) -> None:
        """Keep the folder when the context is left, so that the work can be resumed."""
        self._kept = True

    def path(self, name: str) -> Path:
        """Return the path of a name in the staging folder."""
        return self.folder / check_relative_path(name)

    def publish(self, name: str, target: Path) -> None:
        """Seal a staged folder and rename it to `target`, which must not exist."""
        folder = self.path(name)
        seal(folder)
        durable.make_folder(target.parent, within=self._root)
        durable.rename(folder, target)

    def withdraw(self, target: Path) -> None:
        """Move a folder that no refs name back into staging, to be removed at the end."""
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
    """Copy a source's file to `target` in a staged folder, hash it, and return its manifest entry.

    The contents are durable when the function returns; the name is durable once the folder is
    sealed. `advance` is called with the number of bytes of each block. Blocks of zeros become
    holes, as in a sparse original. Raises SourceError; SpaceError, which states how many of
    `size_bytes` are missing, if the size is known.
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
        out.truncate(size)  # the file may end in a hole
        os.fsync(out.fileno())
    return FileEntry(target, size, hashing.digest())


def seal(folder: Path) -> None:
    """Set the mode of all folders and make all names durable, the deepest folder first."""
    for parent, _, _ in os.walk(folder, topdown=False):
        Path(parent).chmod(durable.FOLDER_MODE)
        durable.sync_folder(Path(parent))
