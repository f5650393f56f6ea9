"""The top-level modules of a wheel.

Wheels of different names may contain the same module (`opencv-python` and
`opencv-python-headless`, `onnxruntime` and `onnxruntime-gpu`); a process imports the first that it
finds.

Source: PEP 427, "The .data directory".
"""

from __future__ import annotations

import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Final

from model_sync.errors import PackagesError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OF_MODULES: Final = (".py", ".pyc", ".so")
_INSTALLED_INTO_SITE: Final = {"purelib", "platlib"}
_IGNORED: Final = {
    "benchmark", "benchmarks", "docs", "example", "examples", "script", "scripts", "test", "tests",
}  # fmt: skip
"""Folders that many wheels install by mistake, and that no program imports."""


def top_modules_of(wheel: Path) -> frozenset[str]:
    """Return the top-level modules and packages of a wheel; raises PackagesError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return _top_modules(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise PackagesError(f"{wheel.name} cannot be unpacked: {error}") from error


def installed_top_modules(package: str) -> frozenset[str]:
    """Return the top-level modules of an installed package; none if it is not installed."""
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        return frozenset()
    return _top_modules(path.as_posix() for path in files)


def _top_modules(paths: Iterable[str]) -> frozenset[str]:
    """Return top-level modules and packages, without namespace packages, which wheels share."""
    found = set()
    for path in paths:
        first, *rest = path.split("/")
        if first.endswith(".data") and rest and rest[0] in _INSTALLED_INTO_SITE:
            first, *rest = rest[1:] or ("",)
        name, _, suffixes = (rest[0] if rest else first).partition(".")
        if not f".{suffixes}".endswith(_OF_MODULES) or len(rest) > 1:
            continue
        if not rest:
            found.add(name)
        elif name == "__init__":
            found.add(first)
    return frozenset(name for name in found if name.isidentifier() and name not in _IGNORED)
