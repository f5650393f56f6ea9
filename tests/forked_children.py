"""Lets what runs in a process of its own (model_sync/child_process.py) be a fork of a server of forks.

A trial of a tiny model takes half a second, nearly all of which is the importing of numpy and ONNX
Runtime; a fork of a process that has imported them, and done nothing else, takes a twentieth. What
runs is the module's own `main`, and what comes of it (exit code, signal, stderr, deadline) is told
as it is of a new interpreter.

Tests of the trial itself and of what it records are not run so: they are marked `own_processes`.
Nor is what a test starts as a process, such as the command line: its trials are interpreters.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final
from unittest import mock

from model_sync import child_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

IMPORTED: Final = (
    "inference.loading.variant_files",
    "inference.loading.golden_cases",
    "inference.loading.loader",
    "inference.process.memory",
    "inference.loading.prefetch",
    "model_sync.graphs.optimizer",
    "model_sync.preparation.touched_chunks",
    "model_sync.preparation.touched_imports",
    "model_sync.preparation.trial",
    "model_sync.preparation.trial_outputs",
    "model_sync.preparation.trial_inputs",
    "model_sync.preparation.read_only_folder",
)
"""What the trial imports before it measures."""

_SERVER: Final = get_context("forkserver")
_SERVER.set_forkserver_preload(list(IMPORTED))


def forked_children() -> AbstractContextManager[None]:
    """Let what `model_sync.child_process` runs be forks, as long as this lasts."""
    return children_run_by(_run)


@contextlib.contextmanager
def children_run_by(run: Callable[..., subprocess.CompletedProcess[str]]) -> Iterator[None]:
    """Let `model_sync.child_process` call this where it would call subprocess.run."""
    with mock.patch.object(
        child_process, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run})
    ):
        yield


def _run(
    command: Sequence[str], *, cwd: Path, env: dict[str, str], timeout: float, **_options: object
) -> subprocess.CompletedProcess[str]:
    """Do as subprocess.run does of what `child` asks of it: `python -B -m MODULE ARGUMENTS`."""
    module, arguments = command[3], command[4:]
    with tempfile.NamedTemporaryFile(prefix="forked-") as said:
        process = _SERVER.Process(target=_main, args=(module, arguments, cwd, env, said.name))
        process.start()
        try:
            process.join(timeout)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(command, timeout)
        finally:
            process.kill()  # which asks nothing of one that has ended
            process.join()
        text = said.read().decode("utf-8", "replace")
    return subprocess.CompletedProcess(command, process.exitcode, "", text)


def _main(module: str, arguments: list[str], cwd: Path, env: dict[str, str], said: str) -> None:
    """In the fork: become what a new interpreter would have been."""
    for fd, path in enumerate((os.devnull, os.devnull, said)):
        opened = os.open(path, os.O_RDWR)
        os.dup2(opened, fd)
        os.close(opened)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:] = [str(cwd), *env["PYTHONPATH"].split(os.pathsep)]
    sys.dont_write_bytecode = True
    importlib.import_module(module).main(arguments)
