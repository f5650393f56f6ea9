"""What this process takes of memory, and having what it no longer uses given back.

A version that was let go is free memory to the allocator, and stays the process's: glibc keeps
freed blocks of up to 32 MB for the next one who asks, and each thread that loaded has a heap of its
own, whose end nothing gives back. Three things together make memory fall, and none does it
alone (measured: docs/adr/0004-memory-that-falls.md):

- one heap for all threads (`keep_one_heap`, when this room is imported, before any thread);
- sessions without a pool of their own (loading/loader.py);
- `give_back` after a version was let go.

Off Linux, sizes are the peak of the process, and nothing is given back.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from typing import Any, Final, NamedTuple

_M_ARENA_MAX: Final = -8
"""mallopt(3), of glibc alone: musl and macOS have no such thing."""


class Memory(NamedTuple):
    """Resident memory, in bytes (proc(5), status).

    `mapped_bytes`: pages of files, which the kernel may drop and read again (RssFile);
    `anonymous_bytes` and `shared_bytes`: what it must keep (RssAnon; RssShmem, a tmpfs's files
    too). `resident_bytes` is their sum, `peak_bytes` its highest since the process began or
    `forget_peak`.
    """

    resident_bytes: int
    anonymous_bytes: int
    mapped_bytes: int
    shared_bytes: int
    peak_bytes: int


def rss_bytes() -> int:
    """What the process takes now, of its own and of mapped files. Some 20 microseconds."""
    try:
        with open("/proc/self/statm", "rb") as stream:  # noqa: PTH123 - on every load's path
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return _peak_bytes()


def split_bytes() -> Memory:
    """What the process takes now, by kind."""
    try:
        with open("/proc/self/status", "rb") as stream:  # noqa: PTH123 - as above
            lines = stream.read().splitlines()
    except FileNotFoundError:
        peak = _peak_bytes()
        return Memory(peak, peak, 0, 0, peak)
    found = dict(line.split(b":", 1) for line in lines)
    anonymous, mapped, shared, peak = (
        int(found[name].split()[0]) * 1024
        for name in (b"RssAnon", b"RssFile", b"RssShmem", b"VmHWM")
    )
    return Memory(anonymous + mapped + shared, anonymous, mapped, shared, peak)


def forget_peak() -> None:
    """Count the peak from here on, where the kernel can (proc(5), clear_refs) and lets us."""
    try:
        with open("/proc/self/clear_refs", "wb") as stream:  # noqa: PTH123 - as above
            stream.write(b"5")
    except OSError:
        return


def keep_one_heap() -> None:
    """Have all threads allocate from one heap (mallopt, M_ARENA_MAX), unless the user said else.

    Threads that allocated before keep the heap that they have. Costs nothing where one call runs
    at a time, as on Lambda.
    """
    mallopt = _allocator("mallopt")
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Have the allocator return what is free.

    Other threads that allocate meanwhile wait, so this is for off the request's path.
    """
    trim = _allocator("malloc_trim")
    if trim is not None:
        trim(0)


def _allocator(name: str) -> Any:
    """One of glibc's own functions, or None where the C library is another."""
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
