"""A copy of the repository, as it stands, to run the README's commands in."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

LEFT_OUT = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".store",
    ".cache",
    ".*_cache",
    ".hypothesis",
    "__pycache__",
    "build",
    "results",
)


def copy_repository(folder: Path) -> Path:
    """Copy it, with this Python's environment as its own."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def outer_environment() -> dict[str, str]:
    """This process's environment, without what an outer make or shell says."""
    unwanted = ("MAKE", "MFLAGS", "PYTHON", "STORE", "STAGE", "AWS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
