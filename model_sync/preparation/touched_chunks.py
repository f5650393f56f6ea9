"""Chunks of a model's files that this process has touched: a cold start must read them.

ONNX Runtime maps external weights, each tensor separately. A page that is mapped but was never
touched (a row of an embedding, the weights of an unused output) is not needed. A page that is not
mapped any more was read: its weights were packed and then unmapped.
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


def record_chunks(variant: VariantFiles) -> dict[str, ChunkRanges]:
    """Return the chunks of a variant's files that this process touched, by path.

    Only files of more than one chunk are listed. All chunks of a file that is not listed count as
    touched. Without a page table (outside Linux), no file is listed.
    """
    if not has_page_table():
        return {}
    return {
        entry.path: _touched(variant.folder / entry.path)
        for entry in variant.files
        if entry.size_bytes > CHUNK_BYTES
    }


def _touched(path: Path) -> ChunkRanges:
    """Return a file's chunks with a page that was touched or is not mapped now."""
    mapped, present = read_page_table(path)
    needed = present | ~mapped
    chunks = np.logical_or.reduceat(needed, np.arange(0, len(needed), CHUNK_BYTES // PAGE_BYTES))
    return ranges_of(map(int, chunks.nonzero()[0]))
