"""Compile uploads to bytecode, so that no cold start has to.

Lambda's code folders are read-only: modules without bytecode are compiled at every cold start. Zip
files reset modification times, which makes ordinary bytecode stale; `unchecked-hash` bytecode
(PEP 552) is used as it is.

Only an interpreter of the target's version can make that bytecode. Without one, the uploads work
without bytecode, and `infra.synth` prints a note.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from infra.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

_ASK: Final = (
    "import importlib.util, sys; "
    "print(sys.implementation.name, '%d.%d' % sys.version_info[:2], "
    "importlib.util.MAGIC_NUMBER.hex())"
)
_ASK_DEADLINE_S: Final = 20


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python on this machine. `magic` is its bytecode's magic number, in hex."""

    path: Path
    version: str
    magic: str


def find_interpreter(version: str, given: Path | None = None) -> Interpreter | None:
    """Find a CPython of a version (`3.13`) on this machine, by running it; None if there is none.

    `given` replaces the search; raises BuildError if it is of another version.
    """
    if given:
        interpreter = _ask(given)
        if interpreter is None or interpreter.version != version:
            raise BuildError(f"{given} is not CPython {version}: name one that is, or none")
        return interpreter
    found = (_ask(path) for path in _candidates(version))
    return next((each for each in found if each and each.version == version), None)


def compile_tree(folder: Path, interpreter: Interpreter, *, shown_as: str) -> None:
    """Compile every module below a folder, with paths as on Lambda (`shown_as`: `/opt/python`).

    The same folder and interpreter give the same bytes. Raises BuildError.
    """
    done = subprocess.run(
        [
            *(interpreter.path, "-s", "-P", "-m", "compileall", "-q", "-f"),
            *("--invalidation-mode", "unchecked-hash", "-s", folder, "-p", shown_as, folder),
        ],
        # One process, in order, and with one seed: bytecode depends on which objects are shared.
        env={"PYTHONHASHSEED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no reason given"]
        raise BuildError(f"{interpreter.path} cannot compile {folder}: {lines[-1].strip()}")


def _candidates(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in os.get_exec_path():
        yield Path(folder) / f"python{version}"
    # On PATH, pyenv's files are shims that refuse to run versions that are not selected.
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob(f"versions/{version}.*/bin/python"))


def _ask(path: Path) -> Interpreter | None:
    if not os.access(path, os.X_OK):
        return None
    try:
        said = subprocess.run(
            [path, "-I", "-c", _ASK],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ASK_DEADLINE_S,
            check=False,
        ).stdout.split()
    except (OSError, subprocess.TimeoutExpired):
        return None
    if len(said) != 3 or said[0] != "cpython":
        return None
    return Interpreter(path, said[1], said[2])
