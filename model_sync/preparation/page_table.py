"""The pages of mapped files that this process has touched, from its page table. Linux only.

A page of a mapping that was never touched has no entry in the process's page table, even if the
page is in the page cache because of read-ahead.

Source: proc(5), `maps` and `pagemap`; https://docs.kernel.org/admin-guide/mm/pagemap.html.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from model_store.chunks import ChunkRanges

PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_ENTRY_BYTES: Final = 8
_PRESENT: Final = np.uint64(1 << 63)
_PAGEMAP: Final = Path("/proc/self/pagemap")
_MAPS: Final = Path("/proc/self/maps")


def has_page_table() -> bool:
    """Return True if the kernel exposes the page table of this process."""
    return _PAGEMAP.exists()


def read_page_table(path: Path) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two arrays with an element for each page of a file: is it mapped, is it touched."""
    n_pages = -(-path.stat().st_size // PAGE_BYTES)
    mapped, present = np.zeros(n_pages, np.bool_), np.zeros(n_pages, np.bool_)
    with _PAGEMAP.open("rb", buffering=0) as pagemap:
        for start, end, offset in _mappings(path):
            pagemap.seek(start // PAGE_BYTES * _ENTRY_BYTES)
            data = pagemap.read((end - start) // PAGE_BYTES * _ENTRY_BYTES)
            first = offset // PAGE_BYTES
            # A mapping may begin or end behind the file's end.
            entries = np.frombuffer(data, np.uint64)[: max(0, n_pages - first)]
            pages = slice(first, first + len(entries))
            mapped[pages] = True
            present[pages] |= (entries & _PRESENT) != 0
    return mapped, present


def mapped_files(folder: str) -> frozenset[str]:
    """Return the mapped files whose paths begin with `folder`; none without a page table."""
    if not has_page_table():
        return frozenset()
    paths = (line.split(maxsplit=5)[5:] for line in _lines())
    return frozenset(path[0] for path in paths if path and path[0].startswith(folder))


def ranges_of(blocks: Iterable[int]) -> ChunkRanges:
    """Convert block numbers to ascending, disjoint ranges `(first, count)`."""
    ranges: list[tuple[int, int]] = []
    for block in sorted(blocks):
        if ranges and block == sum(ranges[-1]):
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + 1)
        else:
            ranges.append((block, 1))
    return tuple(ranges)


def _lines() -> list[str]:
    return _MAPS.read_text("utf-8", "surrogateescape").splitlines()


def _mappings(path: Path) -> Iterator[tuple[int, int, int]]:
    """Yield each mapping of a file in this process: start address, end address, file offset."""
    status = path.stat()
    for line in _lines():
        addresses, _, offset, device, inode, *_ = line.split(maxsplit=5)
        major, minor = (int(part, 16) for part in device.split(":"))
        if int(inode) == status.st_ino and os.makedev(major, minor) == status.st_dev:
            start, end = (int(part, 16) for part in addresses.split("-"))
            yield start, end, int(offset, 16)
