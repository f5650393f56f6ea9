"""`python -m inference` as a fork of a process that has imported what takes long to import.

Numpy, ONNX Runtime and Powertools take a new interpreter 0.4 s. Each command still is a process of
its own, with its own arguments, environment and streams, and imports this project's modules
itself. Tests of signals, of imports and of how a process ends use commands.py.

Run as a module it is the process that forks: a request is a line of JSON on stdin, its answer the
exit code, as a line on stdout. It ends with its stdin.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from inference.process.daemon_thread import in_thread
from tests.support.commands import Ended, environ
from tests.support.places import ROOT
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IMPORTED: Final = (
    "aws_lambda_powertools",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.event_handler.api_gateway",
    "numpy",
    "onnxruntime",
)


def run_forked(*arguments: str | Path, env: Mapping[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    with tempfile.TemporaryDirectory(prefix="forked-command-") as folder:
        out, err = (os.path.join(folder, name) for name in ("out", "err"))  # noqa: PTH118
        request = {
            "arguments": [str(each) for each in arguments],
            "environ": environ(env),
            "out": out,
            "err": err,
        }
        code = _server().ask(request)
        with open(out, encoding="utf-8") as stdout, open(err, encoding="utf-8") as stderr:  # noqa: PTH123
            return Ended(code, stdout.read(), stderr.read())


class _Server:
    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.inference.forked_commands"],
            cwd=ROOT,
            env=environ(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        atexit.register(self._end)

    def ask(self, request: Mapping[str, Any]) -> int:
        """Have a command run; it and the server are killed where it does not end in time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        try:
            return int(in_thread(self._process.stdout.readline, "reads").result(DEADLINE_S))
        except BaseException:
            self._end()
            _server.cache_clear()
            raise

    def _end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


@cache
def _server() -> _Server:
    return _Server()


def _serve() -> None:
    for name in _IMPORTED:
        __import__(name)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(request)
            return
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def _become(request: Mapping[str, Any]) -> None:
    """Run the command in this process, which ends as an interpreter ends: by what is raised."""
    writing = os.O_WRONLY | os.O_CREAT
    for descriptor, (path, flags) in enumerate(
        [(os.devnull, os.O_RDONLY), (request["out"], writing), (request["err"], writing)]
    ):
        opened = os.open(path, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(request["environ"])
    sys.argv = ["inference", *request["arguments"]]
    runpy.run_module("inference", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _serve()
