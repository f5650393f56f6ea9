"""The variables of an ELF file that are shared with other files that define them, too.

A variable in a C++ header is defined in each file that was compiled with the header. If the dynamic
linker loads such files together, all use the first definition; if it loads them one after another,
each uses its own. So files that share a variable must be loaded together (shared_libraries.py). Two
kinds are excluded: symbols that the compiler marks as unique, as GCC does, which exist once in the
process anyway, and type tables, which are the same in every file.

Source: System V gABI, "Symbol Table"; ld.so(8); Itanium C++ ABI, "Special Names".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_SYMBOL: Final = np.dtype(
    [("name", "<u4"), ("info", "u1"), ("other", "u1"), ("section", "<u2"), ("rest", "<u8", 2)]
)
_WRITABLE: Final = 1
_GLOBAL_OR_WEAK: Final = (1, 2)
_OBJECT_OR_THREAD_LOCAL: Final = (1, 6)
_VISIBILITY: Final = 3
_TYPE_TABLES: Final = "_ZT"


def shared_variables(path: Path) -> frozenset[str]:
    """Return the names of these variables; none if the file is not ELF or has no section table."""
    try:
        with path.open("rb") as stream:
            return frozenset(_names(stream))
    except (ELFError, OSError, ValueError, KeyError, AttributeError, TypeError, MemoryError):
        return frozenset()  # untrusted file: the linker will report the problem at import


def _names(stream: BinaryIO) -> Iterator[str]:
    file = ELFFile(stream)
    writable = [
        number
        for number, section in enumerate(file.iter_sections())
        if section["sh_flags"] & _WRITABLE
    ]
    for table in file.iter_sections("SHT_DYNSYM"):
        symbols = np.frombuffer(table.data(), _SYMBOL)
        chosen = symbols[
            np.isin(symbols["info"] >> 4, _GLOBAL_OR_WEAK)
            & np.isin(symbols["info"] & 15, _OBJECT_OR_THREAD_LOCAL)
            & np.isin(symbols["section"], writable)
            & (symbols["other"] & _VISIBILITY == 0)
        ]
        texts: Any = file.get_section(table["sh_link"])
        for offset in chosen["name"]:
            name = texts.get_string(int(offset))
            if not name.startswith(_TYPE_TABLES):
                yield name
