"""What this process takes of memory, and giving back what it no longer uses."""

from __future__ import annotations

import ctypes
import os


def rss_bytes() -> int:
    """What the process takes now, of its own and of mapped files (proc(5), statm)."""
    with open("/proc/self/statm", "rb") as stream:  # noqa: PTH123 - before anything else is loaded
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def give_back() -> None:
    """Have the allocator return what is free (malloc_trim, where the C library has it)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
