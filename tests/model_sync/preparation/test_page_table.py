"""Pages of a file that this process has touched."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING

from model_sync.preparation.page_table import PAGE_BYTES, ranges_of, read_page_table

if TYPE_CHECKING:
    from pathlib import Path


def test_a_page_that_was_touched_is_told_from_one_that_is_mapped_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("w+b") as stream:
        # Nothing of it is in memory: a page that is written to may come with all of the block of
        # memory that it is in, and pages read ahead are in blocks of up to 2 MiB.
        stream.truncate(256 * PAGE_BYTES)
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as mapped:
        mapped.madvise(mmap.MADV_RANDOM)  # nothing is read ahead
        mapped[200 * PAGE_BYTES] = 1
        is_mapped, is_present = read_page_table(path)
    assert is_mapped.all()
    assert list(map(int, is_present.nonzero()[0])) == [200]


def test_a_mapping_behind_the_files_end_is_none_of_its_pages(tmp_path: Path) -> None:
    """As of an extension whose last segments have nothing in the file."""
    path = tmp_path / "file"
    path.write_bytes(bytes(8 * PAGE_BYTES))
    half = 4 * PAGE_BYTES
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), half, offset=half):
        stream.truncate(PAGE_BYTES)
        is_mapped, is_present = read_page_table(path)
    assert (is_mapped.tolist(), is_present.tolist()) == ([False], [False])


def test_blocks_next_to_each_other_are_one_range() -> None:
    assert ranges_of({7, 1, 2, 3, 9}) == ((1, 3), (7, 1), (9, 1))
    assert ranges_of(()) == ()
