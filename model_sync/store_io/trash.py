"""Deleting: what goes is renamed into a folder of `trash/` first, then deleted there.

A rename takes a whole folder out of everyone's sight in one step, so nobody meets half of one.
Every step goes by the descriptor of the folder that holds what is renamed or deleted, and no link
is followed: a link that somebody put into the store is deleted, never what it leads to.
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
    """Open a folder below the store's root, by one name after the other, following no link.

    Raises OSError: FileNotFoundError where there is none, ENOTDIR or ELOOP where a link stands.
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
    """The names in a folder below the store's root, sorted; none where there is no such folder."""
    try:
        with open_folder(root, *names) as fd:
            return tuple(sorted(os.listdir(fd)))  # noqa: PTH208 - of a descriptor
    except FileNotFoundError:
        return ()


def size_of(root: Path, *names: str) -> int:
    """How many bytes deleting a folder would free; a file with two names in it counts once."""
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
    """A folder of one's own in `trash/`, made when the first thing goes there.

    Leaving it leaves what is in it: `empty` deletes, and what a crash left is swept a day later.
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
        """Rename `name` in an open folder into the trash, durably; returns its name there.

        Raises FileNotFoundError where somebody else was first.
        """
        trash = self._open()
        trashed = f"{next(self._count)}-{name}"
        os.rename(name, trashed, src_dir_fd=folder, dst_dir_fd=trash)
        os.fsync(trash)
        os.fsync(folder)
        return trashed

    def put_back(self, trashed: str, folder: int, name: str) -> None:
        """Rename what was taken back; raises OSError where there is something else by now."""
        trash = self._open()
        os.rename(trashed, name, src_dir_fd=trash, dst_dir_fd=folder)
        os.fsync(folder)
        os.fsync(trash)

    def read(self, trashed: str, path: str) -> bytes:
        """Read a small file of what was taken."""
        fd = os.open(f"{trashed}/{path}", os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._open())
        with os.fdopen(fd, "rb") as stream:
            return stream.read()

    def empty(self, trashed: str) -> int:
        """Delete what was taken; returns the bytes that it held.

        Goes on after an error and raises the first at the end. Folders are deleted from the top:
        those inside are moved up first, so that no depth is too deep.
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
        """The folder's descriptor; makes the folder at the first call."""
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
    # By its descriptor: no link is followed.
    fd = os.open(name, _FOLDER, dir_fd=parent)
    try:
        os.fchmod(fd, durable.FOLDER_MODE)
    finally:
        os.close(fd)
    os.fsync(parent)


def _freed(status: os.stat_result) -> int:
    """What unlinking one name frees: a file with another name stays."""
    return status.st_size if stat.S_ISREG(status.st_mode) and status.st_nlink == 1 else 0
