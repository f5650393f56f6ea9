"""One Lambda execution environment, with the real Python runtime and without a container.

    with LambdaEnvironment("inference.api.handler", environ={"STORE": "/mnt/store"}) as function:
        answer = function.invoke({"rawPath": "/v2/health/ready"})

The runtime is `awslambdaric`; Lambda's side of it is the Runtime Interface Emulator, which
unlike Lambda
- begins INIT at the first call, with no limit but the function's timeout;
- starts the runtime anew, in the same environment, at the call after one that killed it;
- enforces no memory limit, and answers every call under the ARN of one made-up function;
- never freezes: `frozen_between_calls` does that, as strictly as Lambda.

Linux only. Where the emulator comes from: emulator.py; how all of it ends: keeper.py.
"""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from bench import emulator
from bench import keeper as keeping

_INVOKE = "/2015-03-31/functions/function/invocations"
_MOST_REQUEST_BYTES = 6 * 1024 * 1024
_START_S = 20.0
_STOP_S = 10.0
_FREEZE_S = 10.0
# How much later than the function's own timeout an answer may come: INIT restarts, a busy machine.
_OVERDUE_S = 15.0
_PORT_TRIES = 5
_POLL_S = 0.002
_TIMED_OUT = b"Task timed out after "


class LambdaEnvironmentError(RuntimeError):
    """What is wrong with an environment or with a call.

    LambdaEnvironmentError
    ├── EnvironmentEndedError   it did not start, or is no longer there, or did not answer
    └── InvocationError         it answered that the function failed
    """


class EnvironmentEndedError(LambdaEnvironmentError):
    """The environment did not start, is no longer there, or did not answer in time."""


class InvocationError(LambdaEnvironmentError):
    """The function failed: it raised, died, timed out, or its event or answer was too large."""

    def __init__(self, error_type: str, message: str, stack: tuple[str, ...] = ()) -> None:
        super().__init__("\n".join([f"{error_type}: {message}", *stack]))
        self.error_type = error_type
        self.message = message
        self.stack = stack


class LambdaEnvironment:
    """A function's environment from `start` to `stop`; it starts once. A context manager.

    `environ` is the function's configuration, laid over what Lambda sets; of this process's own
    environment only PATH, HOME and TMPDIR go in, and no AWS credentials. The handler's module is
    looked for in `cwd`, Lambda's task root, then on a PYTHONPATH given in `environ`.
    `memory_mb` is told, not enforced. Safe to use from several threads; calls are made one at a
    time, as Lambda makes them.
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
    ) -> None:
        self._cwd = (cwd or Path.cwd()).absolute()
        self._runtime = [python, "-m", "awslambdaric", handler]
        self._environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            **_what_lambda_sets(handler, self._cwd, memory_mb, timeout_s),
            **(environ or {}),
        }
        self._timeout_s = timeout_s
        self._frozen_between_calls = frozen_between_calls
        self._frozen: list[int] = []
        self._started = False
        self._stopping = False
        self._call = threading.RLock()
        self._ending = threading.Lock()  # taken last: a call that fails stops while it holds _call
        self._keeper: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._log = ""
        self._connection: http.client.HTTPConnection | None = None
        self.last_call_s = 0.0
        """From sending the last event to having its whole answer; thaw and freeze not counted."""

    def start(self) -> Self:
        """Start the emulator and return when it listens; the function's INIT waits for a call.

        Raises EmulatorUnavailableError, or EnvironmentEndedError with what was printed.
        """
        if self._started:
            raise LambdaEnvironmentError("an environment starts once: make another")
        self._started = True
        executable = emulator.emulator_path()
        for _ in range(_PORT_TRIES):
            if self._launch(executable, *_free_ports()):
                return self
            if "address already in use" not in self.logs():
                break
        raise EnvironmentEndedError(f"the emulator did not start: {self._last_words()}")

    def _launch(self, executable: Path, port: int, runtime_api_port: int) -> bool:
        self._stopping = False
        self._log_file = tempfile.TemporaryFile()  # noqa: SIM115 - stop closes it
        keeper = [sys.executable, "-I", "-S", keeping.__file__]
        options = ["--log-level", "warn"]  # a flag, or it would obey the function's LOG_LEVEL
        options += ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
        options += ["--runtime-api-address", f"127.0.0.1:{runtime_api_port}"]
        try:
            self._keeper = subprocess.Popen(
                [*keeper, str(executable), *options, *self._runtime],
                stdin=subprocess.PIPE,
                stdout=self._log_file,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._environ,
                start_new_session=True,
            )
            deadline = time.monotonic() + _START_S
            while self._keeper.poll() is None and time.monotonic() < deadline:
                if any(keeping.listens(pid, {port, runtime_api_port}) for pid in self.pids()):
                    self._connection = http.client.HTTPConnection(
                        "127.0.0.1", port, timeout=self._timeout_s + _OVERDUE_S
                    )
                    return True
                time.sleep(_POLL_S)
            return False
        finally:
            if self._connection is None:
                self.stop()

    def invoke(self, event: Mapping[str, Any]) -> Any:
        """Call the function with an event and return its answer, both as JSON values.

        Raises InvocationError when the function failed: an answer with both `errorType` and
        `errorMessage` is such a failure, for nothing else in the emulator's answer says so.
        Raises EnvironmentEndedError when there is no environment or no answer from it.
        """
        return json.loads(self.invoke_raw(json.dumps(event).encode()))

    def invoke_raw(self, payload: bytes) -> bytes:
        """Call the function with an event as it is and return its answer as it came.

        Thaws a frozen environment first. Raises what `invoke` raises.
        """
        if len(payload) > _MOST_REQUEST_BYTES:  # the emulator cuts it, without a word
            message = f"an event of {len(payload)} bytes; Lambda takes {_MOST_REQUEST_BYTES}"
            raise InvocationError("RequestEntityTooLargeException", message)
        with self._call:
            self.thaw()
            try:
                status, answer = self._post(payload)
            finally:
                if self._frozen_between_calls and not self._stopping:
                    self.freeze()
            error = _error(answer)
            if error is None and (status != http.HTTPStatus.OK or not answer):
                reason = f"HTTP {status} and no reason; it printed: {self._last_words()}"
                error = InvocationError("Sandbox.Failure", reason)
            if error is not None and self._stopping:  # so does the emulator answer when told to end
                raise EnvironmentEndedError("the environment was stopped during the call")
            if error is not None:
                raise error
            return answer

    def _post(self, payload: bytes) -> tuple[int, bytes]:
        connection, keeper = self._connection, self._keeper
        if connection is None or keeper is None:
            raise EnvironmentEndedError("the environment is not running")
        try:
            began = time.perf_counter()
            connection.request("POST", _INVOKE, payload)
            response = connection.getresponse()
            answer = response.read()
            self.last_call_s = time.perf_counter() - began
        except TimeoutError:
            # Its call is still under way, and a second one beside it would crash the emulator.
            self.stop()
            waited = f"{self._timeout_s + _OVERDUE_S:g} s"
            raise EnvironmentEndedError(f"no answer in {waited}: stopped the environment") from None
        except (OSError, http.client.HTTPException) as error:
            self.stop()
            raise EnvironmentEndedError(
                f"the environment ended, exit code {keeper.returncode}: {self._last_words()}"
            ) from error
        return response.status, answer

    def freeze(self) -> None:
        """Stop every process of the environment, and return when no thread of them runs.

        Waits for a call under way. A thread inside a system call that nothing interrupts, such
        as a read of a slow disk, may finish that call; it goes no further.
        """
        deadline = time.monotonic() + _FREEZE_S
        with self._call:
            # Look again when all known ones are still: one may have forked before it stopped.
            while fresh := [pid for pid in self.pids() if pid not in self._frozen]:
                keeping.signal_all(fresh, signal.SIGSTOP)
                self._frozen += fresh
                while any(map(keeping.runs, self._frozen)):
                    if time.monotonic() > deadline:
                        raise LambdaEnvironmentError(f"did not freeze in {_FREEZE_S:g} s")
                    time.sleep(_POLL_S / 10)

    def thaw(self) -> None:
        """Let every process run that `freeze` stopped; what runs already is left alone."""
        with self._call:
            keeping.signal_all(self._frozen, signal.SIGCONT)
            self._frozen = []

    def pids(self) -> tuple[int, ...]:
        """Return the environment's living processes: the emulator, the runtime and their own.

        Parents come before children. Before the first call there is only the emulator.
        """
        keeper = self._keeper
        return () if keeper is None else tuple(keeping.processes(keeper.pid))

    def logs(self) -> str:
        """Return what the environment has printed so far: the function's lines and Lambda's.

        A line may come a moment later than the answer of the call that printed it.
        """
        log = self._log_file
        if log is not None:
            with contextlib.suppress(ValueError):  # another thread's stop has just closed it
                # pread: the file's offset is shared with the processes that write to it.
                content = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)
                return content.decode(errors="replace")
        return self._log

    def stop(self) -> None:
        """End every process of the environment, frozen or not; more than once is no error.

        They get Lambda's shutdown: SIGTERM, then SIGKILL. A call under way in another thread
        fails with EnvironmentEndedError. Raises LambdaEnvironmentError when a process stays.
        """
        self._stopping = True
        self._end_processes()
        with self._call:
            self._frozen = []
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._log_file is not None:
                self._log = self.logs()
                self._log_file.close()
                self._log_file = None

    def _end_processes(self) -> None:
        with self._ending:
            keeper = self._keeper
            if keeper is None:
                return
            if keeper.stdin is not None:
                keeper.stdin.close()  # the keeper does the rest
            with contextlib.suppress(subprocess.TimeoutExpired):
                keeper.wait(_STOP_S)
            # Something is left when the keeper was killed, or the kernel holds a process back.
            deadline = time.monotonic() + _STOP_S
            while left := [*self.pids(), *([keeper.pid] if keeper.poll() is None else [])]:
                if time.monotonic() > deadline:
                    raise LambdaEnvironmentError(f"processes that cannot be ended: {left}")
                keeping.signal_all(left, signal.SIGKILL)
                time.sleep(_POLL_S)
            self._keeper = None

    def _last_words(self) -> str:
        return "\n".join(self.logs().splitlines()[-8:]) or "nothing was printed"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _what_lambda_sets(handler: str, cwd: Path, memory_mb: int, timeout_s: int) -> dict[str, str]:
    """The variables of a Python function on Lambda.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    The emulator adds AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_METADATA_* and empty credentials.
    """
    name = "function"
    return {
        "_HANDLER": handler,
        "AWS_DEFAULT_REGION": "us-east-1",  # the one in the emulator's ARN
        "AWS_REGION": "us-east-1",
        # The runtime encodes answers and polls for calls differently from 3.12 on by this name.
        "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info.major}.{sys.version_info.minor}",
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}",
        "LAMBDA_TASK_ROOT": str(cwd),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        # Not Lambda's, from here on. The emulator's own setting, which it passes on:
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s),
        # HOME is this machine's: its AWS credentials must not be the function's.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


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


def _free_ports() -> tuple[int, int]:
    """Two loopback ports that were free a moment ago; the kernel hands them out at random."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]
