"""What imports of a package set touched when a version was prepared, file by file.

A recording is the order in which files were first needed and, of each, the ranges of blocks. A
cold start reads them ahead (inference/package_sets/prefetch.py); what it lacks is read when it is needed,
so an old or a wrong one costs time and nothing else. Pure.
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
"""What the kernel maps around a page of a file that is touched, so no less is told apart."""

MOST_BLOCKS: Final = 1 << 18
"""16 GiB: no file of a set is larger, nor has any function memory for all that is touched."""


class RecordedFile(NamedTuple):
    """A file, by its path in the set's folder, and its blocks that were touched, as ranges."""

    path: str
    ranges: ChunkRanges

    def to_json(self) -> dict[str, Any]:
        """The form in which manifests hold it."""
        return {"path": self.path, "ranges": [[*each] for each in self.ranges]}

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        """Read what `to_json` gave; raises DamagedError, also for a path that leaves the folder.

        And for blocks that no file has: a reader would ask for each of them.
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
    """Read a list of files, each once; raises DamagedError."""
    recorded = tuple(RecordedFile.from_json(value, where) for value in values)
    if len({each.path for each in recorded}) != len(recorded):
        raise DamagedError(f"{where} names a path twice")
    if sum(count for each in recorded for _, count in each.ranges) > MOST_BLOCKS:
        raise DamagedError(f"{where} has more blocks than any function has memory for")
    return recorded
