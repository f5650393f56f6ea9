"""Which chunks of its files a process has touched: what a cold start of the same model waits for.

ONNX Runtime maps weights that lie in a file of their own, each tensor by itself. A page of such a
mapping that was never touched (a row of an embedding, an output that nobody asked for) has no entry
in the process's page table; pages that are in the page cache merely because they were read ahead
have none either. What is not mapped any more was read: weights, which were packed and let go.

Source: proc(5), `maps` and `pagemap`; https://docs.kernel.org/admin-guide/mm/pagemap.html.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from model_store.chunks import CHUNK_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from inference.form import Form
    from model_store.chunks import ChunkRanges

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_ENTRY_BYTES: Final = 8
_PRESENT: Final = np.uint64(1 << 63)


def record(form: Form) -> dict[str, ChunkRanges]:
    """The chunks that this process touched of a form's files of more than one, by path.

    Of a file that is not named, all; so it is where the kernel does not tell (off Linux).
    """
    if not Path("/proc/self/pagemap").exists():
        return {}
    return {
        entry.path: _ranges(_touched(form.folder / entry.path, entry.size_bytes))
        for entry in form.files
        if entry.size_bytes > CHUNK_BYTES
    }


def _touched(path: Path, size_bytes: int) -> NDArray[np.bool_]:
    """For each chunk of a file, whether any page of it was touched, or is not mapped now."""
    n_pages = -(-size_bytes // _PAGE)
    mapped, present = np.zeros(n_pages, np.bool_), np.zeros(n_pages, np.bool_)
    with open("/proc/self/pagemap", "rb", buffering=0) as pagemap:  # noqa: PTH123 - unbuffered
        for start, end, offset in _mappings(path):
            pagemap.seek(start // _PAGE * _ENTRY_BYTES)
            data = pagemap.read((end - start) // _PAGE * _ENTRY_BYTES)
            entries = np.frombuffer(data, np.uint64)[: n_pages - offset // _PAGE]
            pages = slice(offset // _PAGE, offset // _PAGE + len(entries))
            mapped[pages] = True
            present[pages] |= (entries & _PRESENT) != 0
    needed = present | ~mapped
    return np.logical_or.reduceat(needed, np.arange(0, n_pages, CHUNK_BYTES // _PAGE))


def _mappings(path: Path) -> Iterator[tuple[int, int, int]]:
    """Each mapping of a file in this process: its first address, its end, its offset."""
    status = path.stat()
    for line in Path("/proc/self/maps").read_text("utf-8", "surrogateescape").splitlines():
        addresses, _, offset, device, inode, *_ = line.split(maxsplit=5)
        major, minor = (int(part, 16) for part in device.split(":"))
        if int(inode) == status.st_ino and os.makedev(major, minor) == status.st_dev:
            start, end = (int(part, 16) for part in addresses.split("-"))
            yield start, end, int(offset, 16)


def _ranges(touched: NDArray[Any]) -> ChunkRanges:
    edges = np.flatnonzero(np.diff(touched, prepend=False, append=False))
    pairs = edges.reshape(-1, 2)
    return tuple((int(first), int(end - first)) for first, end in pairs)
