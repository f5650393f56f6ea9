"""Work in a daemon thread of its own, whose result somebody may wait for."""

from __future__ import annotations

import threading
import traceback
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_thread(work: Callable[[], T], name: str) -> Future[T]:
    """Start `work` in a daemon thread; its result or exception goes to the Future."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            _clear_frames(error)
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def _clear_frames(error: BaseException) -> None:
    """Let go of what an exception's frames hold, a session perhaps, in a cycle with it.

    Also those of what caused it: an exception that was made another has frames of its own.
    """
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        traceback.clear_frames(following.__traceback__)
        following = following.__cause__ or following.__context__
