"""Plan which bytes of a version to read before it answers, and which after. Pure.

The unit is a file range: a whole file if it is small, else one chunk of it (model_store/chunks.py).
One reader reads and checks one file range at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inference.settings import Verify
from model_store.chunks import CHUNK_BYTES, count_chunks
from model_store.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.loading.variant_files import VariantFiles
    from model_store.files import FileEntry


class File(NamedTuple):
    """A file to read: the folder that it is in, and its published path, size and digest."""

    folder: Path
    entry: FileEntry


class FileRange(NamedTuple):
    """Bytes of a file, and their SHA-256 in hex digits; None if they are not checked."""

    file: File
    offset: int
    size_bytes: int
    digest: str | None


class ReadPlan(NamedTuple):
    """File ranges to read, in this order: `graph` and `others` before an answer, `rest` after it.

    `whole` are files without digests of chunks. They are checked as a whole once they have been
    read.
    """

    graph: tuple[FileRange, ...]
    others: tuple[FileRange, ...]
    rest: tuple[FileRange, ...]
    whole: tuple[File, ...]


def plan_reads(variant_files: VariantFiles, verify: Verify) -> ReadPlan:
    """Plan the reads of a variant.

    Raises DamagedError if the preparation's manifest contradicts itself.
    """
    checks = verify in {Verify.CHUNKS, Verify.ALL}
    graph: list[FileRange] = []
    others: list[FileRange] = []
    rest: list[FileRange] = []
    whole: list[File] = []
    for file in _files(variant_files):
        entry = file.entry
        digests = _digests(variant_files, entry)
        if checks and digests is None:
            whole.append(file)
        recorded = _recorded(variant_files, entry) if verify is Verify.CHUNKS and digests else None
        is_graph = file.folder == variant_files.folder and entry.path == variant_files.graph
        for number in range(max(count_chunks(entry.size_bytes), 1)):
            offset = number * CHUNK_BYTES
            size_bytes = min(CHUNK_BYTES, entry.size_bytes - offset)
            digest = digests[number] if checks and digests else None
            file_range = FileRange(file, offset, size_bytes, digest)
            if is_graph:
                graph.append(file_range)
            else:
                (others if recorded is None or number in recorded else rest).append(file_range)
    # Each file's first range first: opening the file shows if it exists and has its size.
    others.sort(key=lambda file_range: file_range.offset > 0)
    return ReadPlan(tuple(graph), tuple(others), tuple(rest), tuple(whole))


def _files(variant_files: VariantFiles) -> Iterator[File]:
    for folder, entries in (
        (variant_files.folder, variant_files.files),
        (variant_files.version_folder, variant_files.version_files),
    ):
        for entry in entries:
            yield File(folder, entry)


def _digests(variant_files: VariantFiles, entry: FileEntry) -> tuple[str, ...] | None:
    """Return the digests of a file's chunks; None if they are unknown."""
    n_chunks = count_chunks(entry.size_bytes)
    if n_chunks <= 1:
        return (entry.digest.hex,)
    digests = variant_files.chunks.get(entry.path)
    if digests is not None and len(digests) != n_chunks:
        raise DamagedError(
            f"the preparation's manifest has digests of {len(digests)} chunks of {entry.path}, "
            f"which has {n_chunks}"
        )
    return digests


def _recorded(variant_files: VariantFiles, entry: FileEntry) -> frozenset[int] | None:
    """Return the numbers of the chunks of a file that a cold start reads; None for all."""
    ranges = variant_files.recorded.get(entry.path)
    if ranges is None:
        return None
    n_chunks = count_chunks(entry.size_bytes)
    if ranges and sum(ranges[-1]) > n_chunks:
        raise DamagedError(
            f"the preparation's manifest has a range of chunks of {entry.path} that ends past its "
            f"{n_chunks}"
        )
    return frozenset(number for first, count in ranges for number in range(first, first + count))
