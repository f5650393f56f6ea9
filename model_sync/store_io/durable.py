"""File operations that survive a crash: what they made is on the disk when they return.

A rename or link makes a name durable only when the folder that holds it is fsynced too. Modes are
set explicitly, whatever the umask: the reader is another user. Source: rename(2), fsync(2).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from model_sync.store_io.disk_space import naming, writing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FOLDER_MODE: Final = 0o755
FILE_MODE: Final = 0o644

_WRITE_BACK_BYTES: Final = 8 << 20
"""Large enough that a disk writes it in one piece, and for a call each to cost nothing."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with naming(str(folder)):
            os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, within: Path | None = None) -> None:
    """Make a folder, and those above it that are missing, each with its mode and durable.

    One that is there may be what a crash, or another writer under way, left between its making
    and its mode: it gets its mode, and its name is made durable, all the same. Below `within`,
    which is there and is left as it is, that goes for the folders above it, too: only one that has
    nothing in it yet can be so, for each is made complete before the next.
    """
    if within is None:
        needs_parent = not folder.parent.is_dir()
    else:
        needs_parent = folder.parent != within and not folder.is_dir()
    if needs_parent:
        make_folder(folder.parent, within=within)
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
    status = folder.stat()
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    if stat.S_IMODE(status.st_mode) != FOLDER_MODE and status.st_uid == os.geteuid():
        folder.chmod(FOLDER_MODE)
        sync_folder(folder)  # its mode, before anything that it holds counts
    sync_folder(folder.parent)


def create_file(path: Path) -> int:
    """Create a file that must not exist, open for writing, and return its descriptor."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        with naming(str(path)):
            os.fchmod(fd, FILE_MODE)
    except OSError:
        os.close(fd)
        raise
    return fd


def start_writeback(fd: int) -> Callable[[int], None]:
    """Have the system write a growing file to its disk meanwhile: the fsync at its end waits less.

    The function that is returned is told the file's size after each block, and starts writing
    every so often, without waiting for it. A hint: nothing is durable before the fsync.
    """
    started_bytes = 0

    def start(size: int) -> None:
        nonlocal started_bytes
        if size - started_bytes >= _WRITE_BACK_BYTES:
            # It starts to write what is not written yet, and drops what is: of this range, nothing.
            os.posix_fadvise(fd, started_bytes, size - started_bytes, os.POSIX_FADV_DONTNEED)
            started_bytes = size

    return start


def write_file(path: Path, data: bytes) -> None:
    """Create a file with these bytes, durable but for its name; it must not exist.

    Raises SpaceError where they do not fit, and leaves no part of them.
    """
    written = 0
    with writing(str(path), lambda: len(data) - written):
        stream = os.fdopen(create_file(path), "wb", buffering=0)
        try:
            with stream:
                while written < len(data):
                    written += stream.write(data[written:])
                os.fsync(stream.fileno())
        except OSError:
            path.unlink(missing_ok=True)
            raise


def link_new(existing: Path, new: Path) -> bool:
    """Link a file to a name that must not exist; False if it does. Durable when True."""
    try:
        os.link(existing, new)
    except FileExistsError:
        return False
    sync_folder(new.parent)
    return True


def rename(source: Path, target: Path) -> None:
    """Rename within a file system, durable in both folders."""
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)
