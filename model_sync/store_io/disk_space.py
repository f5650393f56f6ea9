"""Disk space: a check before writing, and one clear error when the space runs out.

- Before writing, the number of bytes is compared with the free bytes that the file system reports
  for this user. The check ignores the overhead of files and folders and the bytes that other
  processes write, so it can pass although the space will not suffice. Amazon EFS reports 8 EiB.
- The check is skipped for a file system that does not report its size. Quotas are not checked:
  their limits only show when writing.
- A write that the system refuses because the file system is full (ENOSPC), the user's quota is
  used up (EDQUOT) or the file is too large (EFBIG) becomes a SpaceError. NFS may report this only
  when a file is synced or closed.
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
    """Raise SpaceError if `n_bytes` do not fit into the file system of `folder`."""
    try:
        found = os.statvfs(folder)
    except OSError:  # as ENOSYS: the file system does not report its size
        return
    free = found.f_bavail * found.f_frsize
    if found.f_blocks and n_bytes > free:
        raise SpaceError(
            f"no room for {what} in {folder}: {n_bytes - free} bytes are missing "
            f"({n_bytes} are to be written, {free} are free): make room, and try again"
        )


@contextlib.contextmanager
def writing(what: str, missing_bytes: Callable[[], int] = lambda: 1) -> Iterator[None]:
    """Turn the errors of a full file system into a SpaceError; add `what` to other OSErrors.

    `missing_bytes` is called on failure: the number of bytes that are not written yet, if known.
    """
    try:
        with naming(what):
            yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise SpaceError(
            f"no room left while writing {what}: at least {max(missing_bytes(), 1)} bytes are "
            f"missing ({error.strerror}): make room, and try again"
        ) from error


@contextlib.contextmanager
def naming(what: str) -> Iterator[None]:
    """Set `filename` to `what` in OSErrors of calls that only had a file descriptor."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            error.filename = what
        raise
