"""Looks for no garbage while packages are imported, nor ever among what they defined.

What a module defines stays, so Python's collector looks through all of it again and again, and
finds nothing. Put off alone, it would look through all of it at once in the first call. So what is
there when a load ends is set aside (`gc.freeze`): later collections pass over it. Among it may be
what a version holds in cycles, its pipeline; so it is taken back when a version is let go
(`unfreeze`), to be collected as all else.

What this saves of an import of scikit-learn and pandas: docs/performance.md.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock: Final = threading.Lock()
_within: Final[list[bool]] = []
"""For each context that is open, whether it put the collector off."""


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Put the collector off until the last of these contexts ends. Thread-safe.

    What is there then is set aside, unless that context ends by an error.
    """
    with _lock:
        _within.append(gc.isenabled())
        gc.disable()
    ends_well = False
    try:
        yield
        ends_well = True
    finally:
        with _lock:
            put_off = _within.pop()
            if _within:
                _within[-1] = _within[-1] or put_off
            elif put_off:
                if ends_well:
                    gc.freeze()
                gc.enable()


def unfreeze() -> None:
    """Have later collections look through what was set aside, too."""
    gc.unfreeze()
