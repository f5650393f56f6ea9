"""Chunks of files: what is read and checked at a time, and the digests of each.

A file's own digest is known when all of it was read. The digests of its chunks let many readers
check it at once, in any order, and let a part of it be used before the rest has come. A file of at
most one chunk needs none: its own digest is its chunk's. Pure, but for `digest_chunks`.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from model_store.digests import ALGORITHM, Digest
from model_store.errors import DamagedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from io import BufferedReader

    from model_store.documents import Fields

    Chunks = Mapping[str, tuple[str, ...]]
    """The SHA-256 digests of a file's chunks in their order, as hex digits, by its path."""

    ChunkRanges = tuple[tuple[int, int], ...]
    """Ranges of a file's chunks, each the first one's number and how many; ascending, apart."""

CHUNK_BYTES: Final = 4 << 20

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_BLOCK_BYTES: Final = 1 << 20


def count_chunks(size_bytes: int) -> int:
    """How many chunks a file of this size has: none if it is empty."""
    return -(-size_bytes // CHUNK_BYTES)


class ChunkDigests:
    """The digests of a file's chunks, as its bytes come."""

    def __init__(self) -> None:
        self._ended: list[str] = []
        self._chunk = hashlib.sha256()
        self._size_bytes = 0

    @property
    def digests(self) -> tuple[str, ...]:
        """Those of all chunks that have begun, as hex digits."""
        return (*self._ended, self._chunk.hexdigest()) if self._size_bytes else (*self._ended,)

    def update(self, data: bytes | memoryview) -> None:
        """Take the bytes that follow, however many."""
        while data:
            part = data[: CHUNK_BYTES - self._size_bytes]
            self._chunk.update(part)
            self._size_bytes += len(part)
            data = data[len(part) :]
            if self._size_bytes == CHUNK_BYTES:
                self._ended.append(self._chunk.hexdigest())
                self._chunk, self._size_bytes = hashlib.sha256(), 0


def digest_chunks(stream: BufferedReader) -> tuple[Digest, tuple[str, ...]]:
    """Read an open file to its end: its digest, and those of its chunks where it has several."""
    whole, chunks = hashlib.sha256(), ChunkDigests()
    while block := stream.read(_BLOCK_BYTES):
        whole.update(block)
        chunks.update(block)
    digests = chunks.digests
    return Digest(ALGORITHM, whole.hexdigest()), digests if len(digests) > 1 else ()


def parse_chunks(fields: Fields) -> dict[str, tuple[str, ...]]:
    """Read a mapping of paths to their chunks' digests; raises DamagedError."""
    found = {}
    for path in fields.names():
        digests = fields.texts(path)
        if len(digests) < 2 or not all(_HEX.fullmatch(each) for each in digests):
            raise DamagedError(f"{fields.where}: {path!r} has no list of chunks' digests")
        found[path] = digests
    return found


def parse_ranges(fields: Fields) -> dict[str, ChunkRanges]:
    """Read a mapping of paths to ranges of chunks; raises DamagedError."""
    return {
        path: parse_block_ranges(fields.items(path), f"{fields.where}: {path}")
        for path in fields.names()
    }


def parse_block_ranges(values: list[object], where: str) -> ChunkRanges:
    """Read a list of ranges `[first, count]`, of chunks or other blocks; raises DamagedError."""
    ranges: list[tuple[int, int]] = []
    after = 0
    for value in values:
        first, count = _pair(value)
        if first < after or count < 1:
            raise DamagedError(f"{where} is no list of ascending ranges [first, count]")
        ranges.append((first, count))
        after = first + count + 1  # ranges that meet would be one
    return tuple(ranges)


def _pair(value: object) -> tuple[int, int]:
    match value:
        case [int(first), int(count)] if not isinstance(first, bool) and count is not True:
            return first, count
    return -1, 0
