"""Lets tests not wait for the disk: no test cuts the power, and without that nothing differs.

Tests make what a publisher makes durable, 50,000 files and folders, and a disk that others use
takes ten milliseconds for each. What is synced when is still seen by the tests of that: they put
a record of their own in the place of os.fsync (tests/support/durability.py).

Processes that tests start, and slow and exhaustive tests, wait for the disk as always.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final
from unittest import mock

if TYPE_CHECKING:
    from collections.abc import Iterator


SYNC: Final = os.fsync
"""The system's."""


@contextlib.contextmanager
def no_waiting_for_the_disk() -> Iterator[None]:
    """Let os.fsync return at once for files and folders on a disk, as long as this lasts.

    The system refuses what else it is asked for, such as a pipe or a folder in /proc.
    """
    with mock.patch.object(os, "fsync", _sync):
        yield


def _sync(fd: int) -> None:
    mode = os.fstat(fd).st_mode
    on_disk = (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and os.fstatvfs(fd).f_blocks
    if not on_disk:
        SYNC(fd)
