"""Record the parts of a package set that imports touch in this process, for read-ahead.

A cold start reads the recorded parts ahead:

- Code: the pieces of modules.bin that were read.
- Extensions and the libraries that they link to: the pages in the process's page table. The files
  are in the page cache, since they were just unpacked, so each touched page stands for the 64 KiB
  around it, which the kernel maps along with it.
- All other opened files, such as data or certificates: the whole file.

File names come from Python's audit events, in their order. An audit hook cannot be removed, so use
this only in a separate process, a trial (trial.py).

Source: PEP 578; https://docs.python.org/3/library/audit_events.html; proc(5), `pagemap`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from inference.package_sets.active_sets import pieces_read
from model_store.module_index import CODE, INDEX
from model_store.recorded_imports import IMPORT_BLOCK_BYTES, RecordedFile
from model_sync.preparation.page_table import PAGE_BYTES, mapped_files, ranges_of, read_page_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_store.chunks import ChunkRanges
    from model_store.digests import Digest
    from model_store.layout import StoreLayout

_NAMES: Final = {"open": 0, "import": 1, "ctypes.dlopen": 0}
"""For each audit event: the position of the argument that is a file's path."""


class ImportRecorder:
    """Recorder of the files of a package set that this process opens, until it ends."""

    def __init__(self, layout: StoreLayout, digest: Digest) -> None:
        self._layout = layout
        self._digest = digest
        self._folder: Final = str(layout.package_set(digest))
        self._opened_paths: Final[dict[str, None]] = {}
        sys.addaudithook(self._audit)

    def recorded(self) -> tuple[RecordedFile, ...]:
        """Return the parts touched so far: index, code, then files in the order of first use."""
        folder = Path(self._folder)
        pieces = pieces_read(self._layout, self._digest)
        code = [(piece.offset, piece.offset + piece.size_bytes) for piece in pieces]
        recorded_files = [
            RecordedFile(INDEX, _blocks([(0, (folder / INDEX).stat().st_size)])),
            RecordedFile(CODE, _blocks(code)),
        ]
        mapped = mapped_files(f"{self._folder}/")
        for path in dict.fromkeys((*self._opened_paths, *sorted(mapped))):
            try:
                size = os.stat(path).st_size  # noqa: PTH116 - a path as an event gives it
            except OSError:
                continue  # the open failed: there is no such file
            relative = os.path.relpath(path, self._folder)
            if relative not in {INDEX, CODE}:
                ranges = _touched(Path(path)) if path in mapped else _blocks([(0, size)])
                recorded_files.append(RecordedFile(Path(relative).as_posix(), ranges))
        return tuple(each for each in recorded_files if each.ranges)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        position = _NAMES.get(event)
        if position is None or len(arguments) <= position:
            return
        path = arguments[position]
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if isinstance(path, str) and path.startswith(self._folder + os.sep):
            self._opened_paths[os.path.normpath(path)] = None


def _touched(path: Path) -> ChunkRanges:
    """Return a mapped file's blocks with a touched page, and the first, which mapping reads."""
    _, present = read_page_table(path)
    per_block = IMPORT_BLOCK_BYTES // PAGE_BYTES
    return ranges_of({0, *(int(page) // per_block for page in present.nonzero()[0])})


def _blocks(spans: Iterable[tuple[int, int]]) -> ChunkRanges:
    """Return the blocks that contain spans of bytes, given as (start, end)."""
    return ranges_of(
        {
            block
            for start, end in spans
            for block in range(start // IMPORT_BLOCK_BYTES, -(-end // IMPORT_BLOCK_BYTES))
        }
    )
