"""The modules that a wheel puts at the top of `site-packages`: what an import can find it by.

Wheels of two names may bring one module (`opencv-python` and `opencv-python-headless`,
`onnxruntime` and `onnxruntime-gpu`), and a process imports the first that it finds.

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
"""What many wheels have there by mistake, and nobody imports."""


def top_modules_of(wheel: Path) -> frozenset[str]:
    """The modules and packages at the top of a wheel; raises PackagesError."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            return _top_modules(archive.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise PackagesError(f"{wheel.name} cannot be unpacked: {error}") from error


def installed_top_modules(package: str) -> frozenset[str]:
    """Those of a package that is installed for this Python; none of one that is not."""
    try:
        files = distribution(package).files or ()
    except PackageNotFoundError:
        return frozenset()
    return _top_modules(path.as_posix() for path in files)


def _top_modules(paths: Iterable[str]) -> frozenset[str]:
    """A folder without an `__init__` is a namespace, which wheels share."""
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
