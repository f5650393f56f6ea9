"""ELF files of a few hundred bytes: what they need, where it is looked for, and their symbols."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

GLOBAL: Final = 1
WEAK: Final = 2
UNIQUE: Final = 10

VARIABLE: Final = 1
FUNCTION: Final = 2
THREAD_LOCAL: Final = 6

UNDEFINED: Final = 0
DATA: Final = 3
CONSTANTS: Final = 4

HIDDEN: Final = 2

_TAGS: Final = {"needed": 1, "rpath": 15, "runpath": 29}
_HEADER_BYTES: Final = 64 + 2 * 56


class Symbol(NamedTuple):
    """A symbol that a file has in its dynamic table: what it is, and in which section."""

    name: str
    kind: int = VARIABLE
    binding: int = WEAK
    section: int = DATA
    visibility: int = 0


def tiny_elf(
    needed: Sequence[str] = (),
    symbols: Sequence[Symbol] = (),
    *,
    rpath: str | None = None,
    runpath: str | None = None,
) -> bytes:
    """A library for x86-64, as far as it can be read without being loaded."""
    strings = b"\0"

    def put(text: str) -> int:
        nonlocal strings
        strings += text.encode() + b"\0"
        return len(strings) - len(text.encode()) - 1

    entries = [(_TAGS["needed"], put(name)) for name in needed]
    paths = {"rpath": rpath, "runpath": runpath}
    entries += [(_TAGS[tag], put(path)) for tag, path in paths.items() if path is not None]
    table = bytes(24) + b"".join(
        struct.pack(
            "<IBBHQQ",
            put(each.name),
            each.binding << 4 | each.kind,
            each.visibility,
            each.section,
            0,
            8,
        )
        for each in symbols
    )
    at_table = _HEADER_BYTES + len(strings)
    at_dynamic = at_table + len(table)
    entries += [(5, _HEADER_BYTES), (10, len(strings)), (6, at_table), (0, 0)]  # where strings are
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in entries)
    at_sections = at_dynamic + len(dynamic)
    sections = [
        (0, 0, 0, 0, 0, 0),
        (3, 0, _HEADER_BYTES, len(strings), 0, 0),  # strings
        (11, 2, at_table, len(table), 1, 24),  # dynamic symbols
        (1, 3, 0, 0, 0, 0),  # DATA: writable
        (1, 2, 0, 0, 0, 0),  # CONSTANTS
    ]
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, at_sections, 0, 64, 56, 2, 64, len(sections), 1
    )
    size = at_sections + 64 * len(sections)
    segments = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    segments += struct.pack(
        "<IIQQQQQQ", 2, 6, at_dynamic, at_dynamic, at_dynamic, len(dynamic), len(dynamic), 8
    )
    described = b"".join(
        struct.pack("<IIQQQQIIQQ", 0, kind, flags, at, at, length, link, 0, 8, each_bytes)
        for kind, flags, at, length, link, each_bytes in sections
    )
    return header + segments + strings + table + dynamic + described
