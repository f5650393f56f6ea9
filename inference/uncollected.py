"""Looks for no garbage while packages are imported.

What a module defines stays, so Python's collector looks through all of it again and again, and
finds nothing: an eighth of what importing scikit-learn and pandas takes (docs/performance.md).
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
def uncollected() -> Iterator[None]:
    """Put the collector off until the last of these contexts ends. Thread-safe."""
    with _lock:
        _within.append(gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _lock:
            put_off = _within.pop()
            if _within:
                _within[-1] = _within[-1] or put_off
            elif put_off:
                gc.enable()
