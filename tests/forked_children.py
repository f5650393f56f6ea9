"""Run children of publishers (trials; pip) as forks of a fork server.

A trial of a tiny model takes half a second, nearly all of it for importing numpy and ONNX Runtime.
A fork of a process that has only imported them takes a twentieth. The same holds for pip. The fork
runs the module's own `main`, and reports its outcome (exit code, signal, stderr, deadline) like a
new interpreter.

Tests of the trial and of its recordings do not use forks: they are marked `own_processes`.
Processes that a test starts, such as the command line, do not either: their trials are
interpreters.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import subprocess
import sys
import tempfile
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Final
from unittest import mock

from model_sync import child_process
from model_sync.package_sets import download

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

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

PIP: Final = ("pip._internal.cli.main", "pip._internal.commands.download")
"""What pip imports before it downloads."""

_SERVER: Final = get_context("forkserver")
_SERVER.set_forkserver_preload([*IMPORTED, *PIP, __name__])


def exit_code_of_fork(work: Callable[..., None], *arguments: object) -> int:
    """Do this work in a fork, and return how that ended: negative where a signal ended it."""
    process = _SERVER.Process(target=work, args=arguments)
    process.start()
    try:
        process.join(600)
    finally:
        process.kill()  # which asks nothing of one that has ended
        process.join()
    assert process.exitcode is not None
    return process.exitcode


@contextlib.contextmanager
def forked_children() -> Iterator[None]:
    """Let what `model_sync.child_process` runs, and pip, be forks, as long as this lasts."""
    with children_run_by(_run), _run_by(download, _run_pip):
        yield


def children_run_by(
    run: Callable[..., subprocess.CompletedProcess[str]],
) -> AbstractContextManager[None]:
    """Let `model_sync.child_process` call this where it would call subprocess.run."""
    return _run_by(child_process, run)


@contextlib.contextmanager
def _run_by(
    module: ModuleType, run: Callable[..., subprocess.CompletedProcess[str]]
) -> Iterator[None]:
    with mock.patch.object(
        module, "subprocess", SimpleNamespace(**vars(subprocess) | {"run": run})
    ):
        yield


def _run(
    command: Sequence[str], *, cwd: Path, env: dict[str, str], timeout: float, **_options: object
) -> subprocess.CompletedProcess[str]:
    """Do as subprocess.run does of what `child_process` asks: `python -B -m MODULE ARGUMENTS`."""
    return _forked(_main, command, command[3:], cwd, env, timeout)


def _run_pip(
    command: Sequence[str], *, env: dict[str, str], **_options: object
) -> subprocess.CompletedProcess[str]:
    """Do as subprocess.run does of what `download` asks of it: `python -m pip ARGUMENTS`."""
    return _forked(_main_of_pip, command, command[3:], Path.cwd(), env, None)


def _forked(
    target: Callable[..., None],
    command: Sequence[str],
    arguments: Sequence[str],
    cwd: Path,
    env: dict[str, str],
    timeout: float | None,
) -> subprocess.CompletedProcess[str]:
    with tempfile.NamedTemporaryFile(prefix="forked-") as said:
        process = _SERVER.Process(
            target=_become,
            args=(cwd, env, said.name, resource.getrlimit(resource.RLIMIT_FSIZE)),
            kwargs={"main": target, "arguments": list(arguments)},
        )
        process.start()
        try:
            process.join(timeout)
            if process.exitcode is None:
                raise subprocess.TimeoutExpired(command, timeout or 0)
        finally:
            process.kill()  # which asks nothing of one that has ended
            process.join()
        text = said.read().decode("utf-8", "replace")
    return subprocess.CompletedProcess(command, process.exitcode, "", text)


def _become(
    cwd: Path,
    env: dict[str, str],
    said: str,
    file_limit: tuple[int, int],
    *,
    main: Callable[[list[str]], None],
    arguments: list[str],
) -> None:
    """In the fork: become what a new interpreter would have been, then run `main`."""
    for fd, path in enumerate((os.devnull, os.devnull, said)):
        opened = os.open(path, os.O_RDWR)
        os.dup2(opened, fd)
        os.close(opened)
    resource.setrlimit(resource.RLIMIT_FSIZE, file_limit)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    main(arguments)


def _main(arguments: list[str]) -> None:
    module, *its_arguments = arguments
    sys.path[:] = [str(Path.cwd()), *os.environ["PYTHONPATH"].split(os.pathsep)]
    sys.dont_write_bytecode = True
    importlib.import_module(module).main(its_arguments)


def _main_of_pip(arguments: list[str]) -> None:
    sys.exit(importlib.import_module(PIP[0]).main(arguments))
