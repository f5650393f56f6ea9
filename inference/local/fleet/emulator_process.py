"""The Runtime Interface Emulator as a process: its ports, what it prints, its end.

The emulator starts the function's runtime at the first call. All of it is under one keeper.
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

from inference.local.fleet import emulator_binary
from inference.local.fleet import process_supervisor as keeping
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
        removed_at_end: Sequence[Path] = (),
    ) -> None:
        """`runtime` is the command that the emulator starts; `removed_at_end` are empty folders."""
        self._runtime = list(runtime)
        self._cwd = cwd
        self._environ = dict(environ)
        self._removed_at_end = removed_at_end
        self._started = False
        self._ending = threading.Lock()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._log_file: IO[bytes] | None = None
        self._log = ""
        self.port = 0
        self.runtime_api_port = 0
        self.stopping = False
        self.exit_code: int | None = None
        """The emulator's, as a shell says it, once it was stopped."""

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        keeper = self._keeper
        return keeper is not None and keeper.poll() is None

    def start(self) -> None:
        """Start it and return when it listens.

        Raises EmulatorUnavailableError, or EnvironmentEndedError with what was printed.
        """
        if self._started:
            raise LambdaEnvironmentError("an environment starts once: make another")
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
        self._log_file = _appended_file()
        keeper = [sys.executable, "-I", "-S", keeping.__file__]
        keeper += [f"--remove={folder}" for folder in self._removed_at_end]
        options = ["--log-level", "warn"]  # a flag, or it would obey the function's LOG_LEVEL
        options += ["--runtime-interface-emulator-address", f"127.0.0.1:{port}"]
        options += ["--runtime-api-address", f"127.0.0.1:{runtime_api_port}"]
        listening = False
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
                    self.port, self.runtime_api_port, listening = port, runtime_api_port, True
                    break
                time.sleep(_POLL_S)
            return listening
        finally:
            if not listening:
                self.stop()

    def pids(self) -> tuple[int, ...]:
        """Return the living processes: the emulator, the runtime and their own.

        Parents come before children. Before the first call there is only the emulator.
        """
        keeper = self._keeper
        return () if keeper is None else tuple(keeping.processes(keeper.pid))

    def logs(self) -> str:
        """Return what was printed so far: the function's lines and Lambda's."""
        log = self._log_file
        if log is not None:
            with contextlib.suppress(ValueError):  # another thread's stop has just closed it
                # pread: reading must not move the offset of the processes that write to it.
                content = os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0)
                return content.decode(errors="replace")
        return self._log

    def take_logs(self) -> str:
        """Return what was printed and forget it; nothing of it may be printing at the time."""
        taken = self.logs()
        self._log = ""
        if taken and self._log_file is not None:
            self._log_file.truncate(0)
        return taken

    def last_words(self) -> str:
        """The last lines that were printed."""
        return "\n".join(self.logs().splitlines()[-_LAST_LINES:]) or "nothing was printed"

    def stop(self) -> None:
        """End every process, stopped ones too; more than once is no error.

        They get Lambda's shutdown: SIGTERM, then SIGKILL. Raises LambdaEnvironmentError when a
        process stays.
        """
        self.stopping = True
        with self._ending:
            keeper = self._keeper
            if keeper is not None:
                self._end(keeper)
                self.exit_code = keeper.returncode
                self._keeper = None
            if self._log_file is not None:
                self._log = self.logs()
                self._log_file.close()
                self._log_file = None

    def _end(self, keeper: subprocess.Popen[bytes]) -> None:
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


def free_ports() -> tuple[int, int]:
    """Two loopback ports that were free a moment ago; the kernel hands them out at random."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _appended_file() -> IO[bytes]:
    """A temporary file whose every write goes to its end, wherever that is by then."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - stop closes it
    fcntl.fcntl(file, fcntl.F_SETFL, fcntl.fcntl(file, fcntl.F_GETFL) | os.O_APPEND)
    return file
