"""Reads strace's lines as system calls with their arguments.

strace is to be told `-xx` (every string in hexadecimal, so that none holds a comma or a quote) and
`-s` a number larger than any write: OPTIONS. CHANGES are the calls that a replay knows; FOREIGN
ones would change a file system too, and one that succeeds must end the replay, not be left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

CHANGES: Final = (
    *("open", "openat", "close", "dup", "dup2", "dup3", "fcntl", "lseek"),
    *("write", "pwrite64", "ftruncate", "fsync", "fdatasync"),
    *("mkdir", "mkdirat", "link", "linkat", "rename", "renameat", "renameat2"),
    *("unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat"),
)

FOREIGN: Final = (
    *(
        "creat",
        "truncate",
        "writev",
        "pwritev",
        "pwritev2",
        "copy_file_range",
        "sendfile",
        "splice",
    ),
    *("symlink", "symlinkat", "mknod", "mknodat", "fallocate", "openat2", "io_uring_enter"),
    *("sync", "syncfs", "sync_file_range", "chdir", "fchdir", "fchmodat2", "msync"),
)

OPTIONS: Final = (
    *("-xx", "-s", str(1 << 24), "-e"),
    "trace=" + ",".join(f"?{name}" for name in (*CHANGES, *FOREIGN)),
)

_LINE: Final = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+)")
_STRING: Final = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


class Call(NamedTuple):
    """One system call that succeeded; strings among its arguments are bytes."""

    name: str
    arguments: tuple[str | bytes, ...]
    result: int

    def text(self, index: int) -> str:
        """An argument that is a path, or is written as a word."""
        value = self.arguments[index]
        return value.decode() if isinstance(value, bytes) else value

    def data(self, index: int) -> bytes:
        """An argument that is bytes; raises TypeError."""
        value = self.arguments[index]
        if not isinstance(value, bytes):
            raise TypeError(f"argument {index} of {self.name} is no string: {value}")
        return value

    def number(self, index: int) -> int:
        """An argument that is a number, octal where it begins with 0."""
        text = self.text(index)
        return int(text, 8) if text.startswith("0") else int(text)


def read_calls(lines: Iterable[str]) -> Iterator[Call]:
    """Each call that succeeded, in order; calls that a signal ended, and other lines, are none."""
    for line in lines:
        found = _LINE.match(line)
        if found and int(found[3]) >= 0:
            arguments = tuple(_argument(part) for part in found[2].split(", "))
            yield Call(found[1], arguments, int(found[3]))


def _argument(part: str) -> str | bytes:
    found = _STRING.fullmatch(part)
    return bytes.fromhex(found[1].replace("\\x", "")) if found else part
