"""Lets processes that tests start be interrupted, also where this one is not to be."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Restore Python's handler of SIGINT where it was inherited as ignored: children inherit that.

    `nohup make test &` and some CI systems start tests so. Source: execve(2), signal(7).
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
