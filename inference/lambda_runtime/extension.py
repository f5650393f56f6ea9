"""Keeps the environment running after an answer, until what goes on in the background is done.

Lambda freezes an environment when the runtime and every extension have asked for the next event.
The answer has gone out by then: the caller does not wait. So, registered as an extension from
inside the runtime's process, a thread does this for each invocation:

1. It waits until the handler of that invocation, by its request id, has returned or raised. Lambda
   tells extensions of an invocation when it tells the runtime: no work may have begun yet.
2. It waits until the background is idle, but
   - no longer than callers stayed away of late (`BACKGROUND=auto`): who comes meanwhile is sent
     to another environment, and waits for its start if there is none;
   - not past the invocation's deadline less a margin: at the deadline Lambda ends the environment;
   - not for longer than `MOST_HELD_S` in all without an idle moment: a load that hangs would hold,
     and bill, every call to its last second.
3. It asks for the next event. What still goes on does so during other calls.

A process that replaces another in its environment goes on as that one's extension, for registering
is over by then (recycling.py). Where there is no Extensions API, or it refuses, background work
goes on in its threads alone. Why it is done so:
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
"""How long before an invocation's deadline the environment is let go."""

PAUSES: Final = 4
"""Of how many last pauses between calls the shortest counts."""

MOST_HELD_S: Final = 60.0
"""How long, over all invocations, work that does not end is waited for."""


def extended(
    handler: Handler,
    background: Background,
    environ: Mapping[str, str],
    renewed: Callable[[Handler, Calls, str | None], Handler] | None = None,
) -> Handler:
    """Register, and return the handler that tells the extension of its calls' ends.

    To be called during INIT. Outside of Lambda it returns the handler as it is, as with
    `BACKGROUND=thread` and where registering is refused, but for what `renewed` makes of it:
    on Lambda it is given the handler, its calls, and the extension's identifier if there is one.
    Raises SettingError.
    """
    address = environ.get("AWS_LAMBDA_RUNTIME_API", "")
    mode = background_mode(environ)
    if not address:
        return handler
    api = None if mode is BackgroundMode.THREAD else _registered(address, environ)
    calls = Calls()
    if renewed:
        handler = renewed(handler, calls, api.identifier if api else None)
    if api is None:
        return handler
    extension = Extension(api, calls, background, until_done=mode is BackgroundMode.EXTENSION)
    threading.Thread(target=extension.run, name=NAME, daemon=True).start()
    return calls.around(handler)


def _registered(address: str, environ: Mapping[str, str]) -> ExtensionsApi | None:
    with deferred("ssl"):  # which http.client imports, and loopback does not speak
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
    """The handler's call that ended last, until it was asked about. Thread-safe.

    One is enough, for an environment answers one invocation at a time. It is forgotten when asked
    about, for an event that Lambda sends again has the same id.

    Before this process is replaced (recycling.py) it takes `leave` to keep the extension from
    asking for the next event: Lambda would wait for an answer to a question that nobody asks.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._ended: str | None = None
        self._asks = self._leaves = False

    def around(self, handler: Handler) -> Handler:
        """Return a handler that does the same and, whatever comes of it, notes its end."""

        def noting(event: Mapping[str, Any], context: Any) -> Any:
            try:
                return handler(event, context)
            finally:
                self.note_end(context.aws_request_id)

        return noting

    def note_end(self, request_id: str) -> None:
        """Note that a call has ended."""
        with self._changed:
            self._ended = request_id
            self._changed.notify_all()

    def wait_for_end(self, request_id: str, deadline_s: float) -> bool:
        """Wait until a call has ended, or had before; False if `deadline_s` pass before."""
        with self._changed:
            ended = self._changed.wait_for(lambda: self._ended == request_id, max(0.0, deadline_s))
            self._ended = None
            return ended

    def ask(self, ask: Callable[[], T]) -> T:
        """Ask for the next event, by `ask`, unless this process is about to be replaced."""
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
        """Keep the extension from asking, until `stay`; False if it asks when that has passed.

        It may not have been told of this call yet, as the runtime was.
        """
        with self._changed:
            self._leaves = self._changed.wait_for(lambda: not self._asks, deadline_s)
            return self._leaves

    def stay(self) -> None:
        """Let the extension ask again."""
        with self._changed:
            self._leaves = False
            self._changed.notify_all()


class Extension:
    """What is done for each invocation. `run` is its thread's, and runs once."""

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
        """Hold each invocation for as long as there is work, to the end of the environment."""
        ended: Moment | None = None  # from INIT to the first call is no pause between calls
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
            if not self._background.busy():  # work may have started work
                self._held_s = 0.0
                return
        self._held_s += time.monotonic() - began
        if held_s < self._most_held_s <= self._held_s:
            logger.warning("background work does not end: it is not waited for any more")
