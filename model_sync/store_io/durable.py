"""File operations that survive a crash: their results are on the disk when they return.

The name that a rename or a link makes is durable only after an fsync of its folder. Modes are set
explicitly, independent of the umask, because readers run as another user. Source: rename(2),
fsync(2).
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
"""Large enough for one sequential disk write, and for the cost of a call each not to matter."""


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with naming(str(folder)):
            os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(folder: Path, *, within: Path | None = None) -> None:
    """Create a folder and its missing parents, each durable and with the mode of folders.

    An existing folder may lack its mode, because its creator crashed, or is still running, between
    creating it and setting the mode. So the mode and the durable name are ensured for an existing
    folder, too. `within` is an existing ancestor that stays as it is; below it the same is ensured
    for the parents. Only a folder without contents can lack its mode: each folder is completed
    before the next one is created in it.
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
        sync_folder(folder)  # make the mode durable before any of the folder's contents
    sync_folder(folder.parent)


def create_file(path: Path) -> int:
    """Create a file that must not exist; return its descriptor, open for writing."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    try:
        with naming(str(path)):
            os.fchmod(fd, FILE_MODE)
    except OSError:
        os.close(fd)
        raise
    return fd


def start_writeback(fd: int) -> Callable[[int], None]:
    """Return a function that starts writing a growing file to disk, so the final fsync is short.

    Call the returned function with the file's size after each block. Every 8 MiB it asks the system
    to start writing, and does not wait. This is a hint: nothing is durable before the fsync.
    """
    started_bytes = 0

    def start(size: int) -> None:
        nonlocal started_bytes
        if size - started_bytes >= _WRITE_BACK_BYTES:
            # DONTNEED starts writing dirty pages, and drops clean ones: this range has none.
            os.posix_fadvise(fd, started_bytes, size - started_bytes, os.POSIX_FADV_DONTNEED)
            started_bytes = size

    return start


def write_file(path: Path, data: bytes) -> None:
    """Create a file, which must not exist, with these bytes; its name is not durable yet.

    Raises SpaceError if the bytes do not fit, and leaves no partial file.
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
    """Link a file to a new name; return False if the name exists. Durable if True."""
    try:
        os.link(existing, new)
    except FileExistsError:
        return False
    sync_folder(new.parent)
    return True


def rename(source: Path, target: Path) -> None:
    """Rename within a file system, and make the change durable in both folders."""
    source.rename(target)
    sync_folder(target.parent)
    sync_folder(source.parent)
