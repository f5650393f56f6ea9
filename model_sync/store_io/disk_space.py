"""Room for what is to be written: asked for before, and missed in one line where it ends.

- Before anything is written, its bytes are held against what the file system says is free for this
  user. That is a lower bound of what is needed: it leaves out what files and folders cost beyond
  their bytes, and what others write meanwhile. Amazon EFS says that 8 EiB are free, and means it.
- A file system that says nothing of its size is not asked. Nor are quotas: where they end is only
  known by writing.
- What the system refuses to write, because nothing is left (ENOSPC), not for this user (EDQUOT) or
  not in one file (EFBIG), is a SpaceError. NFS may say so only when a file is synced or closed.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from model_sync.errors import FULL, SpaceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def require_space(folder: Path, n_bytes: int, what: str) -> None:
    """Raise SpaceError where so many bytes do not fit into the file system of a folder."""
    try:
        found = os.statvfs(folder)
    except OSError:  # ENOSYS and the like: it does not say
        return
    free = found.f_bavail * found.f_frsize
    if found.f_blocks and n_bytes > free:
        raise SpaceError(
            f"no room for {what} in {folder}: {n_bytes - free} bytes are missing "
            f"({n_bytes} are to be written, {free} are free): make room, and try again"
        )


@contextlib.contextmanager
def writing(what: str, missing_bytes: Callable[[], int] = lambda: 1) -> Iterator[None]:
    """Turn the system's refusal to write more into a SpaceError; name what other errors are about.

    `missing_bytes` is asked then: how many bytes of it are not written yet, as far as known.
    """
    try:
        with naming(what):
            yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise SpaceError(
            f"no room left while writing {what}: {max(missing_bytes(), 1)} bytes are missing at "
            f"least ({error.strerror}): make room, and try again"
        ) from error


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Let the system's errors say what they are about, where a descriptor is all that it knew."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = what
        raise
