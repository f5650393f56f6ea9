"""A Python of another version on the PATH, for sets whose target is not the one that runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pytest

_SAYS: Final = """\
#!/bin/sh
if [ "$3" = -c ]; then echo "{implementation} {version}"; else exec "{python}" "$@"; fi
"""


def write_python(path: Path, version: str, *, implementation: str = "cpython") -> Path:
    """The Python that runs, but one that says that it is another. It compiles as it does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    python = Path(sys.executable).resolve()
    path.write_text(_SAYS.format(implementation=implementation, version=version, python=python))
    path.chmod(0o755)
    return path


def put_python(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str) -> Path:
    """Have `python<version>` on the PATH."""
    path = write_python(folder / f"python{version}", version)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return path
