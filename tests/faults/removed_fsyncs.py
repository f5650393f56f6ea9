"""Copies of the repository in which one fsync of the writer is missing."""

from __future__ import annotations

import ast
import shutil
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

MODULES: Final = (
    "store_io/durable",
    "store_io/staging",
    "refs/commit",
    "store_io/create_store",
    "package_sets/publish",
)
_ROOMS: Final = ("model_store", "model_sync", "inference", "tests")
_SYNCS: Final = frozenset({"fsync", "sync_folder"})


class Fsync(NamedTuple):
    """One statement that makes something durable: in which function it is the n-th."""

    module: str
    function: str
    ordinal: int
    line: int

    def __str__(self) -> str:
        return f"{self.module}.{self.function}-{self.ordinal}"


def find_fsyncs() -> list[Fsync]:
    """Each fsync in the modules that write to a store."""
    return [found for module in MODULES for found in _fsyncs_in(module)]


def copy_without(fsync: Fsync, folder: Path) -> None:
    """Copy the repository to a folder, without this fsync."""
    for room in _ROOMS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / room, folder / room, ignore=ignored)
    path = folder / "model_sync" / f"{fsync.module}.py"
    lines = path.read_text().splitlines(keepends=True)
    line = lines[fsync.line - 1]
    lines[fsync.line - 1] = line[: len(line) - len(line.lstrip())] + "pass\n"
    path.write_text("".join(lines))


def _fsyncs_in(module: str) -> list[Fsync]:
    tree = ast.parse((ROOT / "model_sync" / f"{module}.py").read_text())
    found = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        lines = sorted(
            node.lineno
            for node in ast.walk(function)
            if isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and _name(node.value.func) in _SYNCS
        )
        found += [Fsync(module, function.name, n, line) for n, line in enumerate(lines, 1)]
    return found


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
