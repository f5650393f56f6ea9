"""Pause the garbage collector during imports, and exclude imported objects from collections.

Modules define many objects that live as long as the process. The collector would traverse them
again and again during the imports, in vain; if it were only paused, the first call would pay for
one traversal of all of them. So all objects that exist when a load ends are frozen (`gc.freeze`),
and later collections skip them. They may include a version's pipeline in a reference cycle, so an
eviction unfreezes them (`unfreeze`) and the collector can free it.

Time saved for scikit-learn and pandas: docs/performance.md.
"""

from __future__ import annotations

import contextlib
import gc
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_lock: Final = threading.Lock()
_paused_by: Final[list[bool]] = []
"""For each open context: True if it paused the collector."""


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the collector until the last of these contexts ends. Thread-safe.

    All objects that exist then are frozen, unless that context ends with an error.
    """
    with _lock:
        _paused_by.append(gc.isenabled())
        gc.disable()
    ends_well = False
    try:
        yield
        ends_well = True
    finally:
        with _lock:
            was_enabled = _paused_by.pop()
            if _paused_by:
                _paused_by[-1] = _paused_by[-1] or was_enabled
            elif was_enabled:
                if ends_well:
                    gc.freeze()
                gc.enable()


def unfreeze() -> None:
    """Include the frozen objects in later collections again."""
    gc.unfreeze()
