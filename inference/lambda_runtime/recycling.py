"""Restart an environment in place between two calls, without losing a call.

If a restart is due (serving/recycling_policy.py) once a call's answer is known, the main thread

1. Keeps the extension from asking for the next event. Lambda knows which process asks: a request
   that is lost with this process would count as never made, and every later call would wait for
   it. If the extension is already asking, or too little of the invocation is left, the restart
   waits for the next call.
2. Posts the answer to Lambda's Runtime API, as the runtime would after the handler returns. The
   caller now has the answer. After any status but 202 nothing has changed: the runtime posts it.
3. Replaces the process (execve) with its original command, environment and working directory.
   Lambda sees the same process, which has answered and not yet asked for the next event, so no call
   can be in progress. The new process imports everything again, loads the models that were
   answering here, continues the same extension, and asks for the next event.

The reasons and the alternatives are in ADR 0006 (docs/adr/). The Runtime API:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Import this module on
Lambda only.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from inference.http.limits import PAYLOAD_LIMIT_BYTES
from inference.lambda_runtime.handover import REPLACES, Carried
from inference.process.clock import Moment
from inference.telemetry import logger, report_recycling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from inference.lambda_runtime.extension import Calls
    from inference.lambda_runtime.handover import Handler
    from inference.serving.recycling_policy import Due

LEAST_APART_S: Final = 60.0
"""Least time in seconds between two restarts of an environment."""

LEAST_LEFT_S: Final = 10.0
"""Least rest of an invocation, in seconds, for a restart: at the deadline Lambda ends all."""

_POST_DEADLINE_S: Final = 2.0
_LEAVE_DEADLINE_S: Final = 1.0
_LAST_STREAM: Final = 2


class Recycler:
    """Replaces this process. Construct it during INIT: it notes the open files and the folder."""

    def __init__(self, environ: Mapping[str, str], calls: Calls, extension: str | None) -> None:
        self._address = environ["AWS_LAMBDA_RUNTIME_API"]
        self._calls = calls
        # In an environment with concurrent calls there is no moment between two calls.
        self._one_at_a_time = not environ.get("AWS_LAMBDA_MAX_CONCURRENCY")
        self._extension = extension
        carried = Carried.from_environ(environ)
        self._began = carried.at if carried else None
        # Not os.environ: the runtime removes the variables that it has read.
        self._environ = _initial_environ()
        self._folder = Path.cwd()
        self._inherited = frozenset(_open_across_exec())

    def around(
        self,
        handler: Handler,
        due: Callable[[], Due | None],
        answered: Callable[[], tuple[str, ...]],
    ) -> Handler:
        """Return a handler that calls `handler` and, if `due` says so, restarts the environment.

        `answered` returns the names of the models that the new process should load.
        """
        if not self._one_at_a_time:
            return handler

        def answering(event: Mapping[str, Any], context: Any) -> Any:
            answer = handler(event, context)
            restart = due()
            if restart is not None:
                self.try_to_restart(restart, answer, context, answered())
            return answer

        return answering

    def try_to_restart(self, due: Due, answer: Any, context: Any, models: tuple[str, ...]) -> None:
        """Post the answer and replace the process; return, with nothing posted, if it cannot."""
        now = Moment.now()
        if self._began is not None and self._began.elapsed_s(now) < LEAST_APART_S:
            return
        left_s = context.get_remaining_time_in_millis() / 1000
        body = _rendered(answer)
        if body is None or left_s < LEAST_LEFT_S or not self._calls.leave(_LEAVE_DEADLINE_S):
            return
        if not self._post(context.aws_request_id, body):
            self._calls.stay()
            return
        report_recycling(due.model, due.reason)
        carried = Carried(self._extension, now, now.wall_s + left_s)
        self._replace(carried, tuple(dict.fromkeys((due.model, *models))))

    def _post(self, request_id: str, body: bytes) -> bool:
        from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - no call needs it

        connection = HTTPConnection(self._address, timeout=_POST_DEADLINE_S)
        path = f"/2018-06-01/runtime/invocation/{request_id}/response"
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except (OSError, HTTPException) as error:
            reason = f"{type(error).__name__}: {error}"
        else:
            reason = f"the Runtime API answered {status}" if status != 202 else ""
        finally:
            connection.close()
        if reason:
            logger.warning("the environment cannot restart", reason=reason)
        return not reason

    def _replace(self, carried: Carried, models: tuple[str, ...]) -> None:
        environ = {**self._environ, REPLACES.encode(): carried.render().encode()}
        configured = os.fsdecode(self._environ.get(b"PRELOAD_MODELS", b"")).split(",")
        preloaded = dict.fromkeys([*models, *(each.strip() for each in configured)])
        environ[b"PRELOAD_MODELS"] = ",".join(filter(None, preloaded)).encode()
        os.chdir(self._folder)
        for number in _open_across_exec():
            if number not in self._inherited:
                os.set_inheritable(number, False)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        try:
            os.execve(sys.executable, sys.orig_argv, environ)  # noqa: S606 - a fixed command
        except OSError as error:
            # The runtime would post the answer a second time. Lambda starts another process.
            logger.error("the environment could not restart, and ends", error=str(error))
            os._exit(1)


def _rendered(answer: Any) -> bytes | None:
    """Return an answer as the runtime encodes it; None if the runtime would refuse it."""
    if isinstance(answer, bytes):
        return None
    try:
        text = json.dumps(answer, ensure_ascii=sys.version_info < (3, 12))
        body = text.encode()
    except (TypeError, ValueError):
        return None
    return body if len(body) <= PAYLOAD_LIMIT_BYTES else None


def _initial_environ() -> dict[bytes, bytes]:
    """Return the environment that this process was started with."""
    block = Path("/proc/self/environ").read_bytes()
    pairs = (entry.partition(b"=") for entry in block.split(b"\0") if b"=" in entry)
    return {name: value for name, _, value in pairs}


def _open_across_exec() -> list[int]:
    """Return the file descriptors that survive execve, except the three standard streams."""
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return [number for number in numbers if _is_kept(number)]


def _is_kept(number: int) -> bool:
    try:
        return number > _LAST_STREAM and os.get_inheritable(number)
    except OSError:
        return False  # the descriptor of the listing itself, closed by now
