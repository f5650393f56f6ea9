"""Memory of this process, and returning its free memory to the system.

Memory of an evicted version is free for the allocator, but stays with the process: glibc keeps
freed blocks of up to 32 MB for later allocations, and each thread that loaded a version has a heap
of its own that glibc does not shrink. Only these three together make the process's memory fall
(measured: docs/adr/0004-memory-that-falls.md):

- one heap for all threads (`keep_one_heap`, called on import of `inference`, before any thread);
- sessions without a memory pool of their own (loading/loader.py);
- `give_back` after each eviction.

Off Linux, sizes are the peak of the process, and no memory is returned.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from typing import Any, Final, NamedTuple

_M_ARENA_MAX: Final = -8
"""Parameter of mallopt(3), in glibc only: musl and macOS have no equivalent."""


class Memory(NamedTuple):
    """Resident memory, in bytes (proc(5), status).

    - `mapped_bytes`: pages of files, which the kernel may drop and read again (RssFile).
    - `anonymous_bytes`, `shared_bytes`: pages that the kernel must keep (RssAnon; RssShmem, which
      includes files in a tmpfs).
    - `resident_bytes`: the sum of the three.
    - `peak_bytes`: the highest sum since the process started or `forget_peak`.
    """

    resident_bytes: int
    anonymous_bytes: int
    mapped_bytes: int
    shared_bytes: int
    peak_bytes: int


def rss_bytes() -> int:
    """Return the process's resident memory, its own and mapped files. About 20 microseconds."""
    try:
        with open("/proc/self/statm", "rb") as stream:  # noqa: PTH123 - on every load's path
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except FileNotFoundError:
        return _peak_bytes()


def split_bytes() -> Memory:
    """Return the process's resident memory by kind."""
    try:
        with open("/proc/self/status", "rb") as stream:  # noqa: PTH123 - as above
            lines = stream.read().splitlines()
    except FileNotFoundError:
        peak = _peak_bytes()
        return Memory(peak, peak, 0, 0, peak)
    values = dict(line.split(b":", 1) for line in lines)
    anonymous, mapped, shared, peak = (
        int(values[name].split()[0]) * 1024
        for name in (b"RssAnon", b"RssFile", b"RssShmem", b"VmHWM")
    )
    return Memory(anonymous + mapped + shared, anonymous, mapped, shared, peak)


def forget_peak() -> None:
    """Restart the count of the peak, if the kernel permits it (proc(5), clear_refs)."""
    try:
        with open("/proc/self/clear_refs", "wb") as stream:  # noqa: PTH123 - as above
            stream.write(b"5")
    except OSError:
        return


def keep_one_heap() -> None:
    """Make all threads allocate from one heap, unless the user set MALLOC_ARENA_MAX.

    Threads that have allocated before keep their heap. One heap costs nothing if one call runs at a
    time, as on Lambda.
    """
    mallopt = _allocator("mallopt")
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Make the allocator return its free memory to the system.

    Allocations in other threads wait meantime, so do not call it on the request's path.
    """
    trim = _allocator("malloc_trim")
    if trim is not None:
        trim(0)


def _allocator(name: str) -> Any:
    """Return one of glibc's own functions; None if the C library is another."""
    library = ctypes.CDLL(None)
    return getattr(library, name, None) if hasattr(library, "gnu_get_libc_version") else None


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
