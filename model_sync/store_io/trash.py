"""Trash: a folder is deleted by renaming it into `trash/` and deleting it there.

The rename removes a whole folder from its place in one step, so no reader sees half of a folder.
Every step uses the descriptor of the parent folder and follows no link: a link in the store is
deleted itself, never its target.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import stat
from typing import TYPE_CHECKING, Final, Self

from model_store.layout import TRASH
from model_store.names import new_id
from model_sync.store_io import durable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from model_store.layout import StoreLayout

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextlib.contextmanager
def open_folder(root: Path, *names: str) -> Iterator[int]:
    """Open a folder below the store's root, one name after another, without following links.

    Raises OSError: FileNotFoundError if a folder is missing, ENOTDIR or ELOOP if a name is a link.
    """
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for name in names:
            inner = os.open(name, _FOLDER, dir_fd=fd)
            os.close(fd)
            fd = inner
        yield fd
    finally:
        os.close(fd)


def names_in(root: Path, *names: str) -> tuple[str, ...]:
    """Return the sorted names in a folder below the store's root; () if it does not exist."""
    try:
        with open_folder(root, *names) as fd:
            return tuple(sorted(os.listdir(fd)))  # noqa: PTH208 - of a descriptor
    except FileNotFoundError:
        return ()


def size_of(root: Path, *names: str) -> int:
    """Return the bytes that deleting a folder would free; a file with two names counts once."""
    files: dict[int, int] = {}
    try:
        with open_folder(root, *names) as fd:
            for _, _, inside, inner in os.fwalk(dir_fd=fd, follow_symlinks=False):
                for name in inside:
                    status = os.lstat(name, dir_fd=inner)
                    if stat.S_ISREG(status.st_mode):
                        files[status.st_ino] = status.st_size
    except FileNotFoundError:
        pass
    return sum(files.values())


class Trash:
    """A writer's own folder in `trash/`, created at the first use; a context manager.

    Leaving the context deletes nothing: `empty` does. The sweep deletes the rest a day later.
    """

    def __init__(self, layout: StoreLayout) -> None:
        self.id: Final = new_id()
        self._root = layout.root
        self._fd: int | None = None
        self._count = itertools.count()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
            with contextlib.suppress(OSError), open_folder(self._root, TRASH) as trash:
                os.rmdir(self.id, dir_fd=trash)

    def take(self, folder: int, name: str) -> str:
        """Rename `name` from an open folder into the trash, durably, and return its name there.

        Raises FileNotFoundError if another process was first.
        """
        trash = self._open()
        trashed = f"{next(self._count)}-{name}"
        os.rename(name, trashed, src_dir_fd=folder, dst_dir_fd=trash)
        os.fsync(trash)
        os.fsync(folder)
        return trashed

    def put_back(self, trashed: str, folder: int, name: str) -> None:
        """Rename an entry of the trash back; raises OSError if `name` has been taken since."""
        trash = self._open()
        os.rename(trashed, name, src_dir_fd=trash, dst_dir_fd=folder)
        os.fsync(folder)
        os.fsync(trash)

    def read(self, trashed: str, path: str) -> bytes:
        """Read a small file in a trashed folder."""
        fd = os.open(f"{trashed}/{path}", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._open())
        with os.fdopen(fd, "rb") as stream:
            return stream.read()

    def empty(self, trashed: str) -> int:
        """Delete an entry of the trash and return the bytes that this freed.

        Continues after an error and raises the first error at the end. Inner folders are moved to
        the top of the trash before they are deleted, so nesting of any depth can be deleted.
        """
        trash, freed, first_error = self._open(), 0, None
        pending = [trashed]
        while pending:
            name = pending.pop()
            try:
                freed += self._delete(trash, name, pending)
            except OSError as error:
                first_error = first_error or error
        if first_error:
            raise first_error
        return freed

    def _delete(self, trash: int, name: str, pending: list[str]) -> int:
        status = os.lstat(name, dir_fd=trash)
        if not stat.S_ISDIR(status.st_mode):
            os.unlink(name, dir_fd=trash)
            return _freed(status)
        freed, folder = 0, os.open(name, _FOLDER, dir_fd=trash)
        try:
            for inner in os.listdir(folder):  # noqa: PTH208 - of a descriptor
                status = os.lstat(inner, dir_fd=folder)
                if stat.S_ISDIR(status.st_mode):
                    moved = f"{next(self._count)}-inner"
                    os.rename(inner, moved, src_dir_fd=folder, dst_dir_fd=trash)
                    pending.append(moved)
                else:
                    os.unlink(inner, dir_fd=folder)
                    freed += _freed(status)
        finally:
            os.close(folder)
        os.rmdir(name, dir_fd=trash)
        return freed

    def _open(self) -> int:
        """Return the folder's descriptor; create the folder at the first call."""
        if self._fd is None:
            with open_folder(self._root) as root:
                _make(root, TRASH)
            with open_folder(self._root, TRASH) as trash:
                _make(trash, self.id)
                self._fd = os.open(self.id, _FOLDER, dir_fd=trash)
        return self._fd


def _make(parent: int, name: str) -> None:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name) from None
        return
    # Use a descriptor, so that no link is followed.
    fd = os.open(name, _FOLDER, dir_fd=parent)
    try:
        os.fchmod(fd, durable.FOLDER_MODE)
    finally:
        os.close(fd)
    os.fsync(parent)


def _freed(status: os.stat_result) -> int:
    """Return the bytes that unlinking one name frees: 0 if the file has another name."""
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else 0
