"""Starts an environment anew between two calls, in its own process and without losing one.

What is due to go (serving/recycling_policy.py) goes when a call's answer is known, on the main thread:

1. The extension is kept from asking for the next event. Lambda knows who asks; an extension whose
   question dies with this process would be one that has not asked, and every call would wait for
   it. If it asks already, or too little of the invocation is left, the next call will do.
2. The answer is posted to Lambda's Runtime API, as the runtime itself would post it afterwards. The
   caller has it. Anything but 202 leaves all as it was: the runtime posts it, as ever.
3. The process is replaced (execve) by what it was started as: command, environment and folder.
   To Lambda it is the same process, which has answered and not yet asked for the next event: so no
   call can be under way. What starts imports everything anew, loads what was answered here, goes on
   with the same extension, and asks for the next event.

Why so, and what else was tried: docs/adr/0006-an-environment-starts-anew-in-place.md. The Runtime
API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. To be imported on Lambda only.
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
"""How long an environment lives at the least before it starts anew again."""

LEAST_LEFT_S: Final = 10.0
"""How much of an invocation must be left to start anew in: at its deadline Lambda ends all."""

_POST_DEADLINE_S: Final = 2.0
_NEXT_IS_TOLD_S: Final = 1.0
_INHERITED_ALWAYS: Final = 2


class Recycler:
    """Replaces this process. To be made during INIT: it notes how the process was started."""

    def __init__(self, environ: Mapping[str, str], calls: Calls, extension: str | None) -> None:
        self._address = environ["AWS_LAMBDA_RUNTIME_API"]
        self._calls = calls
        # Where an environment has several calls at once, there is no time between two.
        self._one_at_a_time = not environ.get("AWS_LAMBDA_MAX_CONCURRENCY")
        self._extension = extension
        carried = Carried.from_environ(environ)
        self._began = carried.at if carried else None
        # Not os.environ: the runtime takes from it what it has read.
        self._environ = _started_with()
        self._folder = Path.cwd()
        self._inherited = frozenset(_open_across_exec())

    def around(
        self,
        handler: Handler,
        due: Callable[[], Due | None],
        answered: Callable[[], tuple[str, ...]],
    ) -> Handler:
        """Return a handler that does the same and, when that is due, does not return."""
        if not self._one_at_a_time:
            return handler

        def answering(event: Mapping[str, Any], context: Any) -> Any:
            answer = handler(event, context)
            found = due()
            if found is not None:
                self.try_to_start_anew(found, answer, context, answered())
            return answer

        return answering

    def try_to_start_anew(
        self, due: Due, answer: Any, context: Any, models: tuple[str, ...]
    ) -> None:
        """Post the answer and start anew; return only if that cannot be now, nothing posted."""
        now = Moment.now()
        if self._began is not None and self._began.elapsed_s(now) < LEAST_APART_S:
            return
        left_s = context.get_remaining_time_in_millis() / 1000
        body = _rendered(answer)
        if body is None or left_s < LEAST_LEFT_S or not self._calls.leave(_NEXT_IS_TOLD_S):
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
            logger.warning("the environment cannot start anew", reason=reason)
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
            os.execve(sys.executable, sys.orig_argv, environ)  # noqa: S606 - what this is
        except OSError as error:
            # The answer is out, and the runtime would post it again: Lambda starts another.
            logger.error("the environment could not start anew, and ends", error=str(error))
            os._exit(1)


def _rendered(answer: Any) -> bytes | None:
    """An answer as the runtime spells it; None where that is for the runtime to refuse."""
    if isinstance(answer, bytes):
        return None
    try:
        text = json.dumps(answer, ensure_ascii=sys.version_info < (3, 12))
        body = text.encode()
    except (TypeError, ValueError):
        return None
    return body if len(body) <= PAYLOAD_LIMIT_BYTES else None


def _started_with() -> dict[bytes, bytes]:
    block = Path("/proc/self/environ").read_bytes()
    pairs = (entry.partition(b"=") for entry in block.split(b"\0") if b"=" in entry)
    return {name: value for name, _, value in pairs}


def _open_across_exec() -> list[int]:
    """The files that a process keeps when it is replaced, but for its three streams."""
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    return [number for number in numbers if _is_kept(number)]


def _is_kept(number: int) -> bool:
    try:
        return number > _INHERITED_ALWAYS and os.get_inheritable(number)
    except OSError:
        return False  # of the listing itself
