"""Splits JSON Lines into numbered lines, in bounded memory. Pure.

A line ends with LF or CR LF; the last may end with the object. A line of white space alone is no
record, but is counted, so that a record's number is its line's, from 1, as editors show it. A
byte order mark before the first line is dropped.
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
    """One record: its line's number, and its bytes without the line's end.

    `data` None: the line is longer than the limit, and was passed over.
    """

    number: int
    data: bytes | None


def split_lines(blocks: Iterable[bytes], limit_bytes: int) -> Iterator[Line]:
    """Give every line that is not blank. Holds at most a block and `limit_bytes` at a time."""
    held = _Held(limit_bytes)
    number = 1
    for block in blocks:
        start = 0
        while (end := block.find(b"\n", start)) >= 0:
            held.add(block, start, end)
            if line := held.take(number):
                yield line
            number += 1
            start = end + 1
        held.add(block, start, len(block))
    if line := held.take(number):
        yield line


class _Held:
    """The line that is being put together."""

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
        """The line as it is now, None for a blank one; begins the next."""
        too_long = self._size_bytes > self._limit_bytes
        data = b"".join(self._parts)
        self._parts.clear()
        self._size_bytes = 0
        if too_long:
            return Line(number, None)
        if number == 1:
            data = data.removeprefix(_BYTE_ORDER_MARK)
        return Line(number, data.removesuffix(b"\r")) if data.strip(_BLANK) else None
