"""Show the progress of a call to the sync function while the call is in progress.

The call may take minutes, so it is made in a thread, and the object that the function writes
(sync_job/progress_object.py) is read repeatedly. Progress is for display only: the call continues
if the object cannot be read.
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

_POLL_INTERVAL_S: Final = 0.5


def call_with_progress(
    call: Callable[[], Any], client: Any, bucket: str, request_id: str, progress: Progress
) -> Any:
    """Make a call, and report the progress of its request until the answer arrives.

    Returns the call's result, or raises its error. The thread is a daemon: an interrupt does not
    wait for it.
    """
    answer: Future[Any] = Future()

    def run() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:
            answer.set_exception(error)

    follower = _Follower(progress)
    try:
        threading.Thread(target=run, name="call", daemon=True).start()
        while True:
            with contextlib.suppress(TimeoutError):
                return answer.result(_POLL_INTERVAL_S)
            if answer.done():  # the TimeoutError is the call's own
                return answer.result()
            with contextlib.suppress(Exception):  # a missing or unreadable object
                body = client.get_object(Bucket=bucket, Key=progress_key(request_id))["Body"]
                follower.follow(json.loads(body.read()))
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted; the sync function continues with the request: list shows its result"
        ) from None


class _Follower:
    """Converts polled states of a progress into step() and advance() calls."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._step: tuple[str, int] | None = None
        self._done = 0

    def follow(self, state: dict[str, Any]) -> None:
        """Report the difference to the last state."""
        step = (str(state["step"]), int(state["total_bytes"]))
        if step != self._step:
            self._step, self._done = step, 0
            self._progress.step(*step)
        done = int(state["done_bytes"])
        if done > self._done:
            self._progress.advance(done - self._done)
            self._done = done
