"""A Python of another version on the PATH, for sets whose target is not the one that runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def put_python(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str) -> Path:
    """Have `python<version>` on the PATH: the one that runs, by another name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"python{version}"
    path.symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return path
