"""The Runtime Interface Emulator as a process: its ports, its output, its end.

The emulator starts the function's runtime at the first call. Both run under one supervisor process.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING, Final

from inference.local.fleet import emulator_binary, process_supervisor
from inference.local.fleet.errors import EnvironmentEndedError, LambdaEnvironmentError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_START_S: Final = 20.0
_STOP_S: Final = 10.0
_PORT_TRIES: Final = 5
_POLL_S: Final = 0.002
_LAST_LINES: Final = 8


class EmulatorProcess:
    """An emulator from `start` to `stop`; it starts once. `stop` may come from any thread."""

    def __init__(
        self,
        runtime: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        remove_at_end: Sequence[Path] = (),
    ) -> None:
        """`runtime` is the command that the emulator runs; `remove_at_end` lists empty folders."""
        self._runtime = list(runtime)
        self._cwd = cwd
        self._environ = dict(environ)
        self._remove_at_end = remove_at_end
        self._started = False
        self._ending = threading.Lock()
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._log = ""
        self.port = 0
        self.runtime_api_port = 0
        self.stopping = False
        self.exit_code: int | None = None
        """The emulator's exit code as a shell reports it, after `stop`."""

    @property
    def running(self) -> bool:
        """True if the emulator was started and has not ended."""
        supervisor = self._supervisor
        return supervisor is not None and supervisor.poll() is None

    def start(self) -> None:
        """Start the emulator and return when it listens.

        Raises EmulatorUnavailableError, or EnvironmentEndedError with the emulator's output.
        """
        if self._started:
            raise LambdaEnvironmentError("an environment starts once: create another")
        self._started = True
        executable = emulator_binary.emulator_path()
        for _ in range(_PORT_TRIES):
            if self._launch(executable, *free_ports()):
                return
            if "address already in use" not in self.logs():
                break
        raise EnvironmentEndedError(f"the emulator did not start: {self.last_words()}")

    def _launch(self, executable: Path, port: int, runtime_api_port: int) -> bool:
        self.stopping = False
        self._log_file = _append_only_file()
        supervisor = [sys.executable, "-I", "-S", process_supervisor.__file__]
        supervisor += [f"--remove={folder}" for folder in self._remove_at_end]
        options = ["--log-level", "warn"]  # without it, the function's LOG_LEVEL would apply
        options += ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
        options += ["--runtime-api-address", f"127.0.0.1:{runtime_api_port}"]
        listening = False
        try:
            self._supervisor = subprocess.Popen(
                [*supervisor, str(executable), *options, *self._runtime],
                stdin=subprocess.PIPE,
                stdout=self._log_file,
                stderr=subprocess.STDOUT,
                cwd=self._cwd,
                env=self._environ,
                start_new_session=True,
            )
            deadline = time.monotonic() + _START_S
            while self._supervisor.poll() is None and time.monotonic() < deadline:
                if any(
                    process_supervisor.listens(pid, {port, runtime_api_port}) for pid in self.pids()
                ):
                    self.port, self.runtime_api_port, listening = port, runtime_api_port, True
                    break
                time.sleep(_POLL_S)
            return listening
        finally:
            if not listening:
                self.stop()

    def pids(self) -> tuple[int, ...]:
        """Return the ids of the living processes: the emulator, the runtime and their descendants.

        Parents come before children. Before the first call there is only the emulator.
        """
        supervisor = self._supervisor
        return () if supervisor is None else tuple(process_supervisor.processes(supervisor.pid))

    def logs(self) -> str:
        """Return the output so far: the function's lines and Lambda's."""
        log = self._log_file
        if log is not None:
            with contextlib.suppress(
                ValueError
            ):  # `stop` in another thread has just closed the file
                # pread: a read must not move the file offset, which the writing processes share.
                content = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)
                return content.decode(errors="replace")
        return self._log

    def take_logs(self) -> str:
        """Return the output and clear it; no process may be writing at the time."""
        logs = self.logs()
        self._log = ""
        if logs and self._log_file is not None:
            self._log_file.truncate(0)
        return logs

    def last_words(self) -> str:
        """Return the last lines of the output."""
        return "\n".join(self.logs().splitlines()[-_LAST_LINES:]) or "nothing was printed"

    def stop(self) -> None:
        """End every process, also stopped ones; may be called again.

        The processes get Lambda's shutdown: SIGTERM, then SIGKILL. Raises LambdaEnvironmentError
        if a process cannot be ended.
        """
        self.stopping = True
        with self._ending:
            supervisor = self._supervisor
            if supervisor is not None:
                self._end(supervisor)
                self.exit_code = supervisor.returncode
                self._supervisor = None
            if self._log_file is not None:
                self._log = self.logs()
                self._log_file.close()
                self._log_file = None

    def _end(self, supervisor: subprocess.Popen[bytes]) -> None:
        if supervisor.stdin is not None:
            supervisor.stdin.close()  # the supervisor then ends the processes
        with contextlib.suppress(subprocess.TimeoutExpired):
            supervisor.wait(_STOP_S)
        # Processes are left if the supervisor was killed, or if the kernel delays their end.
        deadline = time.monotonic() + _STOP_S
        while left := [*self.pids(), *([supervisor.pid] if supervisor.poll() is None else [])]:
            if time.monotonic() > deadline:
                raise LambdaEnvironmentError(f"processes that cannot be ended: {left}")
            process_supervisor.signal_all(left, signal.SIGKILL)
            time.sleep(_POLL_S)


def free_ports() -> tuple[int, int]:
    """Return two loopback ports that were free a moment ago, chosen at random by the kernel."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _append_only_file() -> IO[bytes]:
    """Return a temporary file that every process writes to at its present end."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - stop closes it
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file
