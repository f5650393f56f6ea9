"""Defer the import of modules that a package imports and that may never be used.

Powertools' event handler imports asyncio for its GraphQL resolvers, and tempfile and zipfile for a
build pipeline's events; NumPy imports pickle to be ready to write one. We cannot move these imports
into functions, because the packages are not ours. So, while the packages are imported, a stand-in
for each such module is in `sys.modules`, and the packages keep the stand-in. At the first attribute
access, the stand-in imports the real module and takes attributes from it. When the packages are
imported, the stand-ins are removed from `sys.modules`: a later import gets the real module.

(`importlib.util.LazyLoader` leaves its modules in `sys.modules` for every importer, and before
Python 3.13 it runs a module twice if two threads use it first at the same time. Here the import is
an ordinary one, with its lock.)
"""

from __future__ import annotations

import importlib
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def deferred(*names: str) -> Iterator[None]:
    """Defer the import of these modules by the packages that are imported in the `with` block.

    A module that is already imported stays as it is. `from x import y` and the import of a
    submodule import the real module at once, so they gain nothing. Other threads must not import
    during the block: they would get stand-ins, too.
    """
    stand_ins = [_Deferred(name) for name in names if name not in sys.modules]
    for each in stand_ins:
        sys.modules[each.__name__] = each
    try:
        yield
    finally:
        for each in stand_ins:
            each.step_aside()


class _Deferred(ModuleType):
    """Stand-in for a module; imports the module at the first attribute access."""

    def __getattr__(self, name: str) -> Any:
        self.step_aside()
        return getattr(importlib.import_module(self.__name__), name)

    def step_aside(self) -> None:
        """Remove this stand-in from `sys.modules`: the next import gets the real module."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
