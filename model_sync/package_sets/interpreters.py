"""Find the Python that compiles a package set's modules; bytecode depends on the Python version.

For the running Python's version, use the running Python. For another version, use the interpreter
that the user names, else the one on the PATH. Its version is checked before any download.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from model_store.lines import on_one_line
from model_store.package_set import Target
from model_sync.errors import PackagesError

if TYPE_CHECKING:
    from pathlib import Path

_QUERY: Final = "import sys; print(sys.implementation.name, '%d.%d' % sys.version_info[:2])"
_DEADLINE_S: Final = 30
_HOW_TO_NAME: Final = "(--interpreter, or TARGET_INTERPRETER)"


def interpreter_for(target: Target, named: Path | None = None) -> str:
    """Return the path of the Python that compiles for a target.

    Raises PackagesError if there is none, it does not run, or it has another version.
    """
    if named is None and target.python == Target.running().python:
        return sys.executable
    wanted = f"python{target.python}" if named is None else str(named)
    found = shutil.which(wanted)
    if found is None and named is not None:
        raise PackagesError(f"there is no {wanted} that can be run {_HOW_TO_NAME}")
    if found is None:
        raise PackagesError(
            f"packages for Python {target.python} need that Python to compile them, and no "
            f"{wanted} is on the PATH: install it, or say where it is {_HOW_TO_NAME}"
        )
    implementation, version = _query(found)
    if (implementation, version) != ("cpython", target.python):
        what = "Python" if implementation == "cpython" else implementation
        raise PackagesError(
            f"{found} is {what} {version}, and the packages are for Python {target.python}: name "
            f"one of that version {_HOW_TO_NAME}"
        )
    return found


def _query(interpreter: str) -> tuple[str, str]:
    """Return an interpreter's implementation and version, as `("cpython", "3.11")`."""
    try:
        done = subprocess.run(
            [interpreter, "-I", "-S", "-c", _QUERY],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_DEADLINE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PackagesError(
            f"{interpreter} cannot be run: {on_one_line(str(error))} {_HOW_TO_NAME}"
        ) from error
    match done.stdout.split():
        case [implementation, version] if not done.returncode:
            return implementation, version
    said = done.stderr.strip().splitlines() or ["it does not say its version"]
    raise PackagesError(f"{interpreter} is no Python: {on_one_line(said[0])} {_HOW_TO_NAME}")
