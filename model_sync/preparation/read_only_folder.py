"""Keeps a folder from being written by this process, as a function's mount does, whoever runs it.

A package may write beside its own modules: what it compiled, a cache. In a function it cannot, and
does without; where a version is tried, it would change a set, and what is published never changes.

Told by Python's audit events, so what compiled code writes is not seen. A hook for these cannot be
taken out again, so this is for a process of its own, a trial (trial.py).

Source: PEP 578; https://docs.python.org/3/library/audit_events.html.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_OPEN: Final = "open"
_CHANGES: Final = {
    _OPEN: (0,),
    **dict.fromkeys(
        ("os.chmod", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.utime"), (0,)
    ),
    **dict.fromkeys(("os.link", "os.symlink"), (1,)),
    "os.rename": (0, 1),
}
"""Of which arguments of an audit event the paths are that it changes something at."""

_FLAGS: Final = 2
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def make_read_only(folder: Path) -> None:
    """Refuse to write in a folder, from here on to the process's end: OSError, EROFS."""
    place = str(folder)

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        positions = _CHANGES.get(event)
        if positions is None or (event == _OPEN and not arguments[_FLAGS] & _WRITES):
            return
        for position in positions:
            path = arguments[position]
            if isinstance(path, bytes):
                path = os.fsdecode(path)
            if isinstance(path, str) and (path == place or path.startswith(place + os.sep)):
                raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)

    sys.addaudithook(refuse)
