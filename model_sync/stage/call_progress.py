"""Follows a call to the sync function while it is under way: its progress, told here.

The call is made in a thread, for it may take minutes; meanwhile the object that the function
writes (sync_job/progress_object.py) is read again and again. Progress is for a person's eyes only: where it
cannot be read, the call goes on without.
"""

from __future__ import annotations

import contextlib
import json
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from model_sync.sync_job.progress_object import progress_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_sync.progress import Progress

_LOOK_EVERY_S: Final = 0.5


def call_with_progress(
    call: Callable[[], Any], client: Any, bucket: str, request_id: str, progress: Progress
) -> Any:
    """Make a call, and tell the progress of its request until it is answered.

    Returns or raises what the call does. Its thread is a daemon: interrupting does not wait for it.
    """
    answered: Future[Any] = Future()

    def make() -> None:
        try:
            answered.set_result(call())
        except BaseException as error:
            answered.set_exception(error)

    follower = _Follower(progress)
    try:
        threading.Thread(target=make, name="call", daemon=True).start()
        while True:
            with contextlib.suppress(TimeoutError):
                return answered.result(_LOOK_EVERY_S)
            if answered.done():  # a TimeoutError of the call's own
                return answered.result()
            with contextlib.suppress(Exception):  # whatever lies there, or does not
                body = client.get_object(Bucket=bucket, Key=progress_key(request_id))["Body"]
                follower.follow(json.loads(body.read()))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; the sync function goes on with what it was asked: list shows what came "
            "of it"
        ) from None


class _Follower:
    """Tells states of a progress, each seen from afar, as the steps and bytes between them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._step: tuple[str, int] | None = None
        self._done = 0

    def follow(self, told: dict[str, Any]) -> None:
        """Tell what has changed since the last state."""
        step = (str(told["step"]), int(told["total_bytes"]))
        if step != self._step:
            self._step, self._done = step, 0
            self._progress.step(*step)
        done = int(told["done_bytes"])
        if done > self._done:
            self._progress.advance(done - self._done)
            self._done = done
