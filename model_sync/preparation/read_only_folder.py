"""Prevent this process from writing to a folder, as a function's read-only mount does.

A package may write beside its own modules, for example compiled code or a cache. In a function the
write fails and the package works without it. In a trial, the write would change a published package
set, which must never change.

The guard is a hook for Python's audit events, so it does not see writes of compiled code. An audit
hook cannot be removed, so call this only in a separate process, a trial (trial.py).

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
"""For each audit event: the positions of the arguments that are paths to be changed."""

_FLAGS: Final = 2
_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


def make_read_only(folder: Path) -> None:
    """Refuse writes to a folder with OSError EROFS, until the process ends."""
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
