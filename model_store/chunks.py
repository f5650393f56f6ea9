"""Chunks of files: the unit of reading and checking, and the digests of each chunk.

A file's own digest is known only after all of it was read. With digests of chunks, many readers can
check a file concurrently, in any order, and a part can be used before the rest has arrived. A file
of at most one chunk needs none: its own digest is its chunk's. Pure, except for `digest_chunks`.
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
    """SHA-256 digests of a file's chunks in order, as hex digits, by the file's path."""

    ChunkRanges = tuple[tuple[int, int], ...]
    """Ranges of a file's chunks: (number of the first, count); ascending, not adjacent."""

CHUNK_BYTES: Final = 4 << 20

_HEX: Final = re.compile(r"[0-9a-f]{64}")
_BLOCK_BYTES: Final = 1 << 20


def count_chunks(size_bytes: int) -> int:
    """Return the number of chunks of a file of this size; 0 if it is empty."""
    return -(-size_bytes // CHUNK_BYTES)


class ChunkDigests:
    """Digests of the chunks of a file whose bytes arrive in order."""

    def __init__(self) -> None:
        self._ended: list[str] = []
        self._chunk = hashlib.sha256()
        self._size_bytes = 0

    @property
    def digests(self) -> tuple[str, ...]:
        """The digests of all chunks that have begun, as hex digits."""
        return (*self._ended, self._chunk.hexdigest()) if self._size_bytes else (*self._ended,)

    def update(self, data: bytes | memoryview) -> None:
        """Add the next bytes of the file, any number of them."""
        while data:
            part = data[: CHUNK_BYTES - self._size_bytes]
            self._chunk.update(part)
            self._size_bytes += len(part)
            data = data[len(part) :]
            if self._size_bytes == CHUNK_BYTES:
                self._ended.append(self._chunk.hexdigest())
                self._chunk, self._size_bytes = hashlib.sha256(), 0


def digest_chunks(stream: BufferedReader) -> tuple[Digest, tuple[str, ...]]:
    """Read an open file to its end; return its digest, and its chunks' if it has several."""
    whole, chunks = hashlib.sha256(), ChunkDigests()
    while block := stream.read(_BLOCK_BYTES):
        whole.update(block)
        chunks.update(block)
    digests = chunks.digests
    return Digest(ALGORITHM, whole.hexdigest()), digests if len(digests) > 1 else ()


def parse_chunks(fields: Fields) -> dict[str, tuple[str, ...]]:
    """Read a mapping of paths to digests of chunks; raises DamagedError."""
    chunks = {}
    for path in fields.names():
        digests = fields.texts(path)
        if len(digests) < 2 or not all(_HEX.fullmatch(each) for each in digests):
            raise DamagedError(f"{fields.where}: {path!r} has no list of chunk digests")
        chunks[path] = digests
    return chunks


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
            raise DamagedError(f"{where} is not a list of ascending ranges [first, count]")
        ranges.append((first, count))
        after = first + count + 1  # adjacent ranges are one range
    return tuple(ranges)


def _pair(value: object) -> tuple[int, int]:
    match value:
        case [int(first), int(count)] if not isinstance(first, bool) and count is not True:
            return first, count
    return -1, 0
