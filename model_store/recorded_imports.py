"""Recorded imports: the blocks of a package set's files that imports used during preparation.

A recording lists files in order of first use and, for each, the ranges of its used blocks. A cold
start reads them ahead (inference/package_sets/prefetch.py). Blocks that are missing from a
recording are read when they are needed, so an old or wrong one only costs time. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from model_store.chunks import parse_block_ranges
from model_store.documents import Fields
from model_store.errors import DamagedError
from model_store.names import check_relative_path

if TYPE_CHECKING:
    from model_store.chunks import ChunkRanges

IMPORT_BLOCK_BYTES: Final = 64 << 10
"""The kernel maps this much around a page that is touched, so smaller units cannot be observed."""

MOST_BLOCKS: Final = 1 << 18
"""16 GiB: larger than any file of a set, and than any function's memory."""


class RecordedFile(NamedTuple):
    """A file's path in the set's folder, and the ranges of its used blocks."""

    path: str
    ranges: ChunkRanges

    def to_json(self) -> dict[str, Any]:
        """Return the JSON value that manifests hold."""
        return {"path": self.path, "ranges": [[*each] for each in self.ranges]}

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read a value from `to_json`.

        Raises DamagedError, also for a path that leaves the folder and for more blocks than any
        file has, because a reader would try to read each of them.
        """
        fields = Fields(value, where)
        path = fields.name("path", check_relative_path)
        ranges = parse_block_ranges(fields.items("ranges"), f"{where}: {path}")
        if ranges and sum(ranges[-1]) > MOST_BLOCKS:
            raise DamagedError(f"{where}: {path} has more blocks than any file")
        recorded = cls(path, ranges)
        fields.done()
        return recorded


def parse_recorded(values: list[object], where: str) -> tuple[RecordedFile, ...]:
    """Read a list of files, without duplicates; raises DamagedError."""
    recorded = tuple(RecordedFile.from_json(value, where) for value in values)
    if len({each.path for each in recorded}) != len(recorded):
        raise DamagedError(f"{where} names a path twice")
    if sum(count for each in recorded for _, count in each.ranges) > MOST_BLOCKS:
        raise DamagedError(f"{where} has more blocks than any function has memory for")
    return recorded
