"""Which variables an ELF file defines that another file may define as well, and then shares.

A variable in a C++ header is in each file that was compiled with it. Of files that the dynamic
linker loads at once, all use the first one's; of files that it loads one after another, each has
its own. So what shares one must be loaded at once (shared_libraries.py). Not meant here: what the compiler
has marked as unique, as GCC does, which is one in the whole process; and tables of types, which are
the same wherever they are.

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
    """Their names; none for a file that is no ELF, or has no table of sections."""
    try:
        with path.open("rb") as stream:
            return frozenset(_names(stream))
    except (ELFError, OSError, ValueError, KeyError, AttributeError, TypeError, MemoryError):
        return frozenset()  # a stranger's file: who imports it hears from the linker what is wrong


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
