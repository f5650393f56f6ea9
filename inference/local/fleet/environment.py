"""One Lambda execution environment, with the real Python runtime and without a container.

    with LambdaEnvironment("inference.predict_function.handler", environ={...}) as function:
        answer = function.invoke({"rawPath": "/v2/health/ready"})

The runtime is `awslambdaric`. The Runtime Interface Emulator stands for Lambda; unlike Lambda, it
- begins INIT at the first call, with no limit but the function's timeout;
- restarts the runtime in the same environment at the first call after the runtime died;
- enforces no memory limit (cgroups.py does), and sends the same made-up ARN with every call;
- never freezes the environment: `freeze` does, as strictly as Lambda;
- returns an answer only when extensions are done: `invoke_raw` with `early` does not wait.

Linux only. Not here: the emulator's download (emulator_binary.py), the end of its processes
(process_supervisor.py).
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from inference.local.fleet import environment_variables
from inference.local.fleet.emulator_process import EmulatorProcess
from inference.local.fleet.errors import EnvironmentEndedError, InvocationError
from inference.local.fleet.freezer import Freezer
from inference.local.fleet.runtime_api_proxy import EarlyAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from inference.local.fleet.cgroups import Enclosure

_INVOKE: Final = "/2015-03-31/functions/function/invocations"
_MOST_REQUEST_BYTES: Final = 6 * 1024 * 1024
# Seconds after the function's timeout in which an answer may still come: INIT restarts, a busy
# machine.
_OVERDUE_S: Final = 15.0
# Seconds that an environment without extensions may take to be done after its answer.
_HELD_S: Final = 0.005
_TIMED_OUT: Final = b"Task timed out after "
# The emulator's answer, within milliseconds, to a call that comes while the emulator still ends the
# previous one, which timed out: about one in a hundred on a busy machine. The call has not begun.
_STILL_ENDING: Final = "Error: ErrGateCanceled"


class LambdaEnvironment:
    """A function's environment from `start` to `stop`; can be started once. A context manager.

    `environ` is the function's configuration and overrides the variables that Lambda sets. Of this
    process's own environment, the function gets only PATH, HOME and TMPDIR, and no AWS credentials.
    The handler's module is imported from `cwd`, Lambda's task root, else from a PYTHONPATH in
    `environ`. The function reads `memory_mb` as its memory size; only an `enclosure` enforces it.
    Early answers need `early_answers`. Thread-safe; as on Lambda, calls run one at a time.
    """

    def __init__(
        self,
        handler: str,
        *,
        environ: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        python: str = sys.executable,
        memory_mb: int = 1024,
        timeout_s: int = 30,
        frozen_between_calls: bool = False,
        enclosure: Enclosure | None = None,
        early_answers: bool = False,
    ) -> None:
        self._cwd = (cwd or Path.cwd()).absolute()
        runtime = [python, "-m", "awslambdaric", handler]
        self._early = EarlyAnswers() if early_answers else None
        if self._early:  # overrides the emulator's own address
            runtime = ["/usr/bin/env", f"AWS_LAMBDA_RUNTIME_API={self._early.address}", *runtime]
        self._process = EmulatorProcess(
            enclosure.entered_by(runtime) if enclosure else runtime,
            cwd=self._cwd,
            environ={
                **environment_variables.inherited(os.environ),
                **environment_variables.set_by_lambda(handler, self._cwd, memory_mb, timeout_s),
                **(environ or {}),
            },
            remove_at_end=enclosure.folders if enclosure else (),
        )
        self._enclosure = enclosure
        self._deadline_s = timeout_s + _OVERDUE_S
        self._frozen_between_calls = frozen_between_calls
        self._freezer = Freezer(self._process.pids)
        self._call = threading.RLock()
        self._freezing = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._timed_out = False
        self.last_call_s = 0.0
        """Seconds from sending the last event to its complete answer, without thaw and freeze."""

    def start(self) -> Self:
        """Start the emulator and return when it listens; the function's INIT waits for a call.

        Raises EmulatorUnavailableError, or EnvironmentEndedError with the emulator's output.
        """
        if self._enclosure:
            self._enclosure.make()
        self._process.start()
        if self._early:
            self._early.start(self._process.runtime_api_port)
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", self._process.port, timeout=self._deadline_s
        )
        return self

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Call the function with an event and return its answer, both as JSON values.

        Raises InvocationError if the function failed. The emulator's answer shows a failure only
        by its contents, so an answer with both `errorType` and `errorMessage` counts as one.
        Raises EnvironmentEndedError if the environment is not running or does not answer.
        """
        return json.loads(self.invoke_raw(json.dumps(event).encode()))

    def invoke_raw(self, payload: bytes, early: Callable[[bytes], None] | None = None) -> bytes:
        """Call the function with the event's bytes and return the answer's bytes.

        Thaws a frozen environment first. Raises the errors of `invoke`. If extensions keep the
        environment busy after its answer, `early` is called with the answer; this method returns
        when the extensions are done, and may still raise then.
        """
        if len(payload) > _MOST_REQUEST_BYTES:  # the emulator truncates it silently
            message = f"an event of {len(payload)} bytes; Lambda takes {_MOST_REQUEST_BYTES}"
            raise InvocationError("RequestEntityTooLargeException", message)
        with self._call:
            self.thaw()
            try:
                status, answer = self._post(payload, early)
                error = _error(answer)
                if self._timed_out and error and error.message.endswith(_STILL_ENDING):
                    status, answer = self._post(payload, early)
                    error = _error(answer)
            finally:
                if self._frozen_between_calls:
                    self.freeze()
            self._timed_out = answer.startswith(_TIMED_OUT)
            if error is None and (status != http.HTTPStatus.OK or not answer):
                reason = f"HTTP {status} and no reason; it printed: {self._process.last_words()}"
                error = InvocationError("Sandbox.Failure", reason)
            if error is not None and self._process.stopping:  # the emulator's answer to SIGTERM
                raise EnvironmentEndedError("the environment was stopped during the call")
            if error is not None:
                raise error
            return answer

    def _post(self, payload: bytes, early: Callable[[bytes], None] | None) -> tuple[int, bytes]:
        connection, process = self._connection, self._process
        if connection is None:
            raise EnvironmentEndedError("the environment is not running")
        try:
            began = time.perf_counter()
            if self._early:
                self._early.forget()
            connection.request("POST", _INVOKE, payload)
            if self._early and early and connection.sock:
                sent = self._early.wait(connection.sock, answer_s=self._deadline_s, held_s=_HELD_S)
                if sent is not None:
                    early(sent)
            response = connection.getresponse()
            answer = response.read()
            self.last_call_s = time.perf_counter() - began
        except TimeoutError:
            # The call is still in progress, and a concurrent second one would crash the emulator.
            self.stop()
            waited = f"{self._deadline_s:g} s"
            raise EnvironmentEndedError(f"no answer in {waited}: stopped the environment") from None
        except (OSError, http.client.HTTPException) as error:
            self.stop()
            raise EnvironmentEndedError(
                f"the environment ended, exit code {process.exit_code}: {process.last_words()}"
            ) from error
        return response.status, answer

    def freeze(self) -> None:
        """Stop every process of the environment, and return when none of their threads runs.

        Waits for the call in progress. See freezer.py; raises LambdaEnvironmentError.
        """
        with self._call, self._freezing:
            if not self._process.stopping:  # processes that are shutting down must run
                self._freezer.freeze()

    def thaw(self) -> None:
        """Continue every process that `freeze` stopped."""
        with self._call:
            self._freezer.thaw()

    def is_whole(self) -> bool:
        """Return True if the environment runs and no process of it has ended since `freeze`."""
        return self._process.running and self._freezer.all_alive()

    def ran_out_of_memory(self) -> bool:
        """Return True if the kernel has killed a process of the environment at its memory limit."""
        return self._enclosure is not None and self._enclosure.killed() > 0

    def pids(self) -> tuple[int, ...]:
        """Return the ids of the living processes: the emulator, the runtime and their descendants.

        Parents come before children. Before the first call there is only the emulator.
        """
        return self._process.pids()

    def logs(self) -> str:
        """Return the environment's output so far: the function's lines and Lambda's.

        A line may appear a moment later than the answer of the call that printed it.
        """
        return self._process.logs()

    def take_logs(self) -> str:
        """Return the output and clear it; only for a frozen or ended environment."""
        return self._process.take_logs()

    def stop(self) -> None:
        """End every process of the environment, frozen or not; may be called again.

        A call in progress in another thread fails with EnvironmentEndedError. Raises
        LambdaEnvironmentError if a process cannot be ended.
        """
        with self._freezing:
            self._process.stopping = True
        self._process.stop()
        with self._call:
            self._freezer.frozen = []
            if self._early:
                self._early.close()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _error(answer: bytes) -> InvocationError | None:
    if answer.startswith(_TIMED_OUT):
        return InvocationError("Sandbox.Timedout", answer.decode())
    if not answer.startswith((b'{"errorMessage"', b'{"errorType"')):
        return None
    document = json.loads(answer)
    if not {"errorType", "errorMessage"} <= document.keys():
        return None
    stack = tuple(document.get("stackTrace") or ())
    return InvocationError(document["errorType"], document["errorMessage"], stack)
