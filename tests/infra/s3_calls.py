"""S3 operations that a handler's code calls, read from the code, not from its documentation."""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

import grimp

from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS = frozenset({"client", "_client", "s3", "_s3"})
"""What the code calls its S3 client, bare or on `self`."""


def s3_calls(module: str) -> set[str]:
    """The operations that are called in a module and in all that it imports."""
    modules = _graph().find_upstream_modules(module) | {module}
    return {call for each in modules for call in _calls_in(each)}


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph(
        "inference",
        "model_store",
        "model_sync",
        exclude_type_checking_imports=True,
        cache_dir=None,
    )


def _calls_in(module: str) -> Iterator[str]:
    path = ROOT / module.replace(".", "/")
    source = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    for node in ast.parse(source.read_text("utf-8")).body:
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
                receiver = ast.unparse(call.func.value).removeprefix("self.")
                if receiver in CLIENTS:
                    yield call.func.attr
