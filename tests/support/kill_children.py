"""Runs an act in a forked child under strace, which counts its system calls or kills it at one.

The parent has imported everything, so a child costs milliseconds, and only the act's own calls are
counted: strace is attached before the act begins. `-f` is not given: the trial's process, which is
the child's own child, is neither counted nor killed.

`forked_trials` is for the same end: a trial's process is forked from the publisher, with what it
imports imported, where it would be a new interpreter. What it runs is the trial's own `main`. The
server of tests/forked_children.py would be asked by calls of the publisher's own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import shutil
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

# The trial imports it late, to measure the model alone; in a fork it is to be there already.
import inference.loading.golden_cases  # noqa: F401
from tests.forked_children import children_run_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

MISSING = "strace is missing: make system-packages"


class Ended(NamedTuple):
    """Return a child's wait status, and strace's lines about it."""

    status: int
    lines: tuple[str, ...]

    @property
    def signal(self) -> int:
        """The signal that ended it; 0 if none did."""
        return os.WTERMSIG(self.status) if os.WIFSIGNALED(self.status) else 0


def run_traced(act: Callable[[], object], trace: Path, options: Sequence[str]) -> Ended:
    """Run an act in a child with strace's options; returns when all its processes have ended."""
    go_reading, go_writing = os.pipe()
    end_reading, end_writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(go_writing)
        os.close(end_reading)
        os.read(go_reading, 1)
        _act_and_exit(act)
    os.close(go_reading)
    os.close(end_writing)
    with os.fdopen(go_writing, "wb", buffering=0) as go, os.fdopen(end_reading, "rb") as end:
        strace = _attach(pid, trace, options)
        go.write(b"g")
        _, status = os.waitpid(pid, 0)
        strace.communicate()
        end.read()  # a process that the child started keeps the pipe open as long as it lives
    return Ended(status, tuple(trace.read_text("ascii", "replace").splitlines()))


@contextlib.contextmanager
def forked_trials() -> Iterator[None]:
    """Let what runs in processes of its own (model_sync/child_process.py) be forks of this one."""

    def run(command: list[Any], **_options: object) -> subprocess.CompletedProcess[str]:
        pid = os.fork()
        if pid == 0:
            # What this process left to the collector may be a session, whose threads are not here.
            gc.freeze()
            module = importlib.import_module(command[3])
            _act_and_exit(lambda: module.main([str(word) for word in command[4:]]))
        _, ended = os.waitpid(pid, 0)
        return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(ended), "", "")

    with children_run_by(run):
        yield


def _act_and_exit(act: Callable[[], object]) -> None:
    code = 1
    try:
        act()
        code = 0
    except BaseException:  # the child ends here, whatever it was
        sys.stderr.write(traceback.format_exc())
        sys.stderr.flush()
    finally:
        os._exit(code)


def _attach(pid: int, trace: Path, options: Sequence[str]) -> subprocess.Popen[str]:
    if not shutil.which("strace"):
        raise FileNotFoundError(MISSING)
    command = ["strace", "-p", str(pid), "-o", str(trace), *options]
    strace = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = strace.stderr.readline() if strace.stderr else ""
    if "attached" not in said:
        strace.kill()
        raise RuntimeError(f"strace does not attach: {said}")
    return strace
