"""Records what imports of a package set touch in this process: what a cold start reads ahead.

- Code: the pieces of modules.bin that were read.
- Extensions, and libraries that they link to: the pages that are mapped, by the kernel's word. They
  are in the page cache, where they were unpacked a moment ago, so each page that was touched stands
  for the 64 KiB around it, which the kernel maps along with it.
- All other files that were opened (data, a certificate's bundle): all of them.

Names come from Python's own audit events, in their order. A hook for these cannot be taken out
again, so this is for a process of its own, a trial (trial.py).

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
"""Of which argument of an audit event a file's path is."""


class ImportRecorder:
    """What this process opens of a package set, from here on to its end."""

    def __init__(self, layout: StoreLayout, digest: Digest) -> None:
        self._layout = layout
        self._digest = digest
        self._folder: Final = str(layout.package_set(digest))
        self._opened_paths: Final[dict[str, None]] = {}
        sys.addaudithook(self._audit)

    def recorded(self) -> tuple[RecordedFile, ...]:
        """What was touched so far: the index, the code, then files in the order of first use."""
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
                continue  # looked for, and not there
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
    """The blocks of a mapped file with a page that was touched; its first is read to map it."""
    _, present = read_page_table(path)
    per_block = IMPORT_BLOCK_BYTES // PAGE_BYTES
    return ranges_of({0, *(int(page) // per_block for page in present.nonzero()[0])})


def _blocks(spans: Iterable[tuple[int, int]]) -> ChunkRanges:
    """The blocks that spans of bytes lie in, each from its first byte to behind its last."""
    return ranges_of(
        {
            block
            for start, end in spans
            for block in range(start // IMPORT_BLOCK_BYTES, -(-end // IMPORT_BLOCK_BYTES))
        }
    )
