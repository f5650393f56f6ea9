"""Keep the environment running after an answer until background work is done.

Lambda freezes an environment when the runtime and every extension have asked for the next event.
By then the caller has the answer. So this process registers itself as an extension, and a thread
does the following for each invocation:

1. Wait until the handler of this invocation, by its request id, has returned or raised. Lambda
   notifies extensions and the runtime at the same time, so no work may have started yet.
2. Wait until the background is idle, but
   - no longer than the shortest recent pause of calls (`BACKGROUND=auto`): a call that comes while
     the environment is busy goes to another environment, and waits for its start if there is none;
   - not past the invocation's deadline less a margin: at the deadline Lambda ends the environment;
   - no longer than `MOST_HELD_S` in all without an idle moment: a load that hangs would keep, and
     bill, every invocation up to its deadline.
3. Ask for the next event. Work that is still in progress continues during later calls.

A process that replaces another in its environment continues the replaced process's extension,
because Lambda accepts registrations during INIT only (recycling.py). Without an Extensions API, or
if it refuses, background work runs in its threads alone. The reasons are in
docs/adr/0003-an-extension-keeps-the-environment-running.md.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, TypeVar

from inference.lambda_runtime.deferred_imports import deferred
from inference.lambda_runtime.handover import Carried
from inference.process.clock import Moment
from inference.settings import BackgroundMode, background_mode
from inference.telemetry import logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference.lambda_runtime.extensions_api import ExtensionsApi, Invocation
    from inference.lambda_runtime.handover import Handler
    from inference.process.background import Background

T = TypeVar("T")

NAME: Final = "coldpress-background"

MARGIN_S: Final = 1.0
"""Seconds before an invocation's deadline at which the extension asks for the next event."""

PAUSES: Final = 4
"""Number of recent pauses between calls, of which the shortest limits the wait."""

MOST_HELD_S: Final = 60.0
"""Seconds to wait, over all invocations, for background work that never becomes idle."""


def extended(
    handler: Handler,
    background: Background,
    environ: Mapping[str, str],
    wrap: Callable[[Handler, Calls, str | None], Handler] | None = None,
) -> Handler:
    """Register an extension, and return a handler that notifies it when a call ends.

    Call this during INIT. Outside of Lambda, return `handler` unchanged. On Lambda, `wrap` is first
    called with the handler, its calls, and the extension's identifier (None with
    `BACKGROUND=thread`, and if Lambda refuses the registration); it returns the handler to use.
    Raises SettingError.
    """
    address = environ.get("AWS_LAMBDA_RUNTIME_API", "")
    mode = background_mode(environ)
    if not address:
        return handler
    api = None if mode is BackgroundMode.THREAD else _register(address, environ)
    calls = Calls()
    if wrap:
        handler = wrap(handler, calls, api.identifier if api else None)
    if api is None:
        return handler
    extension = Extension(api, calls, background, until_done=mode is BackgroundMode.EXTENSION)
    threading.Thread(target=extension.run, name=NAME, daemon=True).start()
    return calls.around(handler)


def _register(address: str, environ: Mapping[str, str]) -> ExtensionsApi | None:
    with deferred("ssl"):  # http.client imports it; a loopback connection does not use it
        from inference.lambda_runtime.extensions_api import (  # noqa: PLC0415 - only Lambda needs it
            ExtensionsApi,
            register,
        )
    carried = Carried.from_environ(environ)
    if carried is None:
        return register(address, NAME)
    # Lambda takes no registration after INIT: continue the replaced process's extension, if any.
    return ExtensionsApi(address, carried.extension) if carried.extension else None


class Calls:
    """Id of the call that ended last, until `wait_for_end` takes it. Thread-safe.

    One id is enough, because an environment answers one invocation at a time. `wait_for_end` clears
    it, because an event that Lambda sends again has the same id.

    Before this process is replaced (recycling.py), `leave` keeps the extension from asking for the
    next event: the request would be lost with the process, and Lambda would wait for the extension
    for ever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ended: str | None = None
        self._asks = self._leaves = False

    def around(self, handler: Handler) -> Handler:
        """Return a handler that calls `handler` and notes the call's end, also after an error."""

        def noting(event: Mapping[str, Any], context: Any) -> Any:
            try:
                return handler(event, context)
            finally:
                self.note_end(context.aws_request_id)

        return noting

    def note_end(self, request_id: str) -> None:
        """Note that the call with this id has ended."""
        with self._changed:
            self._ended = request_id
            self._changed.notify_all()

    def wait_for_end(self, request_id: str, deadline_s: float) -> bool:
        """Wait until the call with this id has ended; False if `deadline_s` seconds pass first."""
        with self._changed:
            ended = self._changed.wait_for(lambda: self._ended == request_id, max(0.0, deadline_s))
            self._ended = None
            return ended

    def ask(self, ask: Callable[[], T]) -> T:
        """Call `ask`, which asks for the next event, once `leave` does not forbid it."""
        with self._changed:
            self._changed.wait_for(lambda: not self._leaves)
            self._asks = True
        try:
            return ask()
        finally:
            with self._changed:
                self._asks = False
                self._changed.notify_all()

    def leave(self, deadline_s: float) -> bool:
        """Keep the extension from asking for the next event until `stay`.

        Return False if it is still asking after `deadline_s` seconds: Lambda may notify the
        extension of the present call later than the runtime.
        """
        with self._changed:
            self._leaves = self._changed.wait_for(lambda: not self._asks, deadline_s)
            return self._leaves

    def stay(self) -> None:
        """Allow the extension to ask again."""
        with self._changed:
            self._leaves = False
            self._changed.notify_all()


class Extension:
    """The extension's loop over invocations. Call `run` once, in a thread of its own."""

    def __init__(
        self,
        api: ExtensionsApi,
        calls: Calls,
        background: Background,
        *,
        until_done: bool,
        margin_s: float = MARGIN_S,
        most_held_s: float = MOST_HELD_S,
    ) -> None:
        self._api = api
        self._calls = calls
        self._background = background
        self._until_done = until_done
        self._margin_s = margin_s
        self._most_held_s = most_held_s
        self._held_s = 0.0
        self._pauses_s: deque[float] = deque(maxlen=PAUSES)

    def run(self) -> None:
        """Keep each invocation open while there is background work, until the environment ends."""
        ended: Moment | None = None  # the time from INIT to the first call is not a pause
        while (invocation := self._calls.ask(self._api.next)) is not None:
            if ended:
                self._pauses_s.append(ended.elapsed_s(Moment.now()))
            self._hold(invocation)
            ended = Moment.now()

    def _hold(self, invocation: Invocation) -> None:
        until = time.monotonic() + invocation.deadline_s - time.time() - self._margin_s
        self._calls.wait_for_end(invocation.request_id, until - time.monotonic())
        began, held_s = time.monotonic(), self._held_s
        most_s = self._most_held_s - held_s
        if not self._until_done:
            most_s = min(most_s, *self._pauses_s) if self._pauses_s else 0.0
        until = min(until, began + most_s)
        while self._background.wait(until - time.monotonic()):
            if not self._background.busy():  # background work may have started more of it
                self._held_s = 0.0
                return
        self._held_s += time.monotonic() - began
        if held_s < self._most_held_s <= self._held_s:
            logger.warning("background work does not end: the extension waits for it no longer")
