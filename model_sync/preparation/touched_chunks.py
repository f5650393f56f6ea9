"""Which chunks of its files a process has touched: what a cold start of the same model waits for.

ONNX Runtime maps weights that lie in a file of their own, each tensor by itself. What is mapped and
was never touched (a row of an embedding, an output that nobody asked for) is not needed. What is
not mapped any more was read: weights, which were packed and let go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from model_store.chunks import CHUNK_BYTES
from model_sync.preparation.page_table import PAGE_BYTES, has_page_table, ranges_of, read_page_table

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.variant_files import VariantFiles
    from model_store.chunks import ChunkRanges


def record_chunks(form: VariantFiles) -> dict[str, ChunkRanges]:
    """The chunks that this process touched of a form's files of more than one, by path.

    Of a file that is not named, all; so it is where the kernel does not tell (off Linux).
    """
    if not has_page_table():
        return {}
    return {
        entry.path: _touched(form.folder / entry.path)
        for entry in form.files
        if entry.size_bytes > CHUNK_BYTES
    }


def _touched(path: Path) -> ChunkRanges:
    """A file's chunks of which a page was touched, or is not mapped now."""
    mapped, present = read_page_table(path)
    needed = present | ~mapped
    chunks = np.logical_or.reduceat(needed, np.arange(0, len(needed), CHUNK_BYTES // PAGE_BYTES))
    return ranges_of(map(int, chunks.nonzero()[0]))
