"""Modules that a package imports and that nobody may ever use: imported when somebody does.

Powertools' event handler imports asyncio for its GraphQL resolvers, and tempfile and zipfile for a
build pipeline's events; NumPy imports pickle to be ready to write one. An import inside a function
would be the way, but the packages are not ours. So, while they are imported, a stand-in is in
`sys.modules`, and the packages keep it; it gets each attribute from the module itself, which is
imported by the first of them. After that nothing is left of it in `sys.modules`: whoever
imports the module later imports it as ever.

(`importlib.util.LazyLoader` leaves its modules there for everyone, and Python's before 3.13 run one
twice when two threads use it first at once. Here the import is an ordinary one, with its lock.)
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
    """Put off importing these modules, as far as what is imported inside needs nothing of them.

    A module that has been imported already is left as it is. `from x import y` and a submodule need
    it at once, so for a module that is imported so, this is no gain. Other threads must not import
    meanwhile: they would get stand-ins, too.
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
    """Stands in for a module, to be imported when an attribute of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        self.step_aside()
        return getattr(importlib.import_module(self.__name__), name)

    def step_aside(self) -> None:
        """Have who imports the module from now on import the module itself."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
