"""Split JSON Lines into numbered lines, in bounded memory. Pure.

A line ends with LF or CR LF; the last one may end with the object. A blank line is not a record but
is counted, so a record's number is its line number, from 1, as editors show it. A byte order mark
before the first line is removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_BLANK: Final = b" \t\r"


@dataclass(frozen=True, slots=True)
class Line:
    """One record: its line number, and its bytes without the line ending.

    `data` is None if the line is longer than the limit: its bytes were dropped.
    """

    number: int
    data: bytes | None


def split_lines(blocks: Iterable[bytes], limit_bytes: int) -> Iterator[Line]:
    """Yield every line that is not blank; keep at most a block and `limit_bytes` in memory."""
    current = _PartialLine(limit_bytes)
    number = 1
    for block in blocks:
        start = 0
        while (end := block.find(b"\n", start)) >= 0:
            current.add(block, start, end)
            if line := current.take(number):
                yield line
            number += 1
            start = end + 1
        current.add(block, start, len(block))
    if line := current.take(number):
        yield line


class _PartialLine:
    """The bytes of the current line so far."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def add(self, block: bytes, start: int, end: int) -> None:
        self._size_bytes += end - start
        if self._size_bytes > self._limit_bytes:
            self._parts.clear()
        else:
            self._parts.append(block[start:end])

    def take(self, number: int) -> Line | None:
        """Return the line, None if it is blank; begin the next one."""
        too_long = self._size_bytes > self._limit_bytes
        data = b"".join(self._parts)
        self._parts.clear()
        self._size_bytes = 0
        if too_long:
            return Line(number, None)
        if number == 1:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        return Line(number, data.removesuffix(b"\r")) if data.strip(_BLANK) else None
