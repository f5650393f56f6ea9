"""`python -m inference` as a user runs it: real processes, ended whatever a test does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from inference.process.daemon_thread import in_thread
from tests.support.places import ROOT
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

READY = "coldpress ready "


class Ended(NamedTuple):
    """Outcome of a command."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that says why it failed."""
        (line,) = self.err.splitlines()
        assert self.out == ""
        assert line.startswith("error: ")
        return line.removeprefix("error: ")


def environ(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {"PATH": os.environ["PATH"]} | dict(extra or {})


def run(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    module: Sequence[str] = ("-m", "inference"),
    stdin: str = "",
) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        [sys.executable, *module, *map(str, arguments)],
        cwd=cwd,
        env=environ({"PYTHONPATH": str(ROOT), **(env or {})}) if cwd != ROOT else environ(env),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


class Server:
    """A process that serves. Its stderr goes to a file, its stdout is read as it comes."""

    def __init__(self, process: subprocess.Popen[str], stderr: Path) -> None:
        self._process, self._stderr = process, stderr
        self.first_line = self._readline()
        self.url = self.first_line.removeprefix(READY).strip()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def err(self) -> str:
        return self._stderr.read_text()

    def interrupt(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> Ended:
        """Signal the process and wait for its end."""
        self.interrupt(number)
        return self.wait()

    def wait(self) -> Ended:
        assert self._process.stdout is not None
        rest = in_thread(self._process.stdout.read, "reads").result(DEADLINE_S)
        code = self._process.wait(DEADLINE_S)
        return Ended(code, self.first_line + rest, self.err)

    def group_is_gone(self) -> bool:
        """Return True if neither the process nor any of its descendants is left."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def _readline(self) -> str:
        assert self._process.stdout is not None
        line = in_thread(self._process.stdout.readline, "reads").result(DEADLINE_S)
        assert line.startswith(READY), f"{line!r}\n{self.err}"
        return line


@contextmanager
def serving(
    stderr: Path,
    *arguments: str | Path,
    code: Sequence[str] = ("-m", "inference"),
    env: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Start `serve` on a free port and wait until it is ready; it is ended in any case."""
    command = [*code, "serve", "--port", "0", *map(str, arguments)]
    with (
        stderr.open("w") as err,
        subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environ(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=err,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield Server(process, stderr)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def wait_for_file(path: Path) -> None:
    """Wait until another process has made a file."""
    wait_until(path.exists)
