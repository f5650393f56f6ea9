"""`importlib.metadata` for package sets: versions and entry points by the index.

Python's own way lists `site-packages` and opens a file for each question. What takes its place
here, a method of Python's own finder, asks a set's index for the places that have one, and Python's
own way for all others, in the order of `sys.path`. The finder is the one that others look for: a
backport takes that method out of it, and then finds all itself.

Source: https://docs.python.org/3/library/importlib.metadata.html, "Extending the search algorithm".
"""

from __future__ import annotations

import re
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from model_store.module_index import Distribution, ModuleIndex, Piece


class _Source(NamedTuple):
    """A set's `site-packages`, its index, and a function that reads a piece of its texts."""

    folder: str
    modules: ModuleIndex
    read: Callable[[Piece], bytes | None]


_sources: Final[dict[str, _Source]] = {}
"""The sets whose distributions are found by index, by their folder on `sys.path`."""


def show(folder: str, index: ModuleIndex, read: Callable[[Piece], bytes | None]) -> None:
    """Find the distributions in a set's `site-packages` by its index from now on.

    `read` returns the bytes of one piece of the set's texts, or None if they are damaged.
    """
    _sources[folder] = _Source(folder, index, read)
    _replace(_pythons_own, _by_index)


def hide(folder: str) -> None:
    """Find the distributions in this folder in Python's own way again."""
    if _sources.pop(folder, None) and not _sources:
        _replace(_by_index, _pythons_own)


def _replace(one: Any, other: Any) -> None:
    # Where neither is there, a backport (importlib_metadata) has taken it out, to find all itself.
    if _method() is one and other is not None:
        PathFinder.find_distributions = other  # type: ignore[method-assign]


def _method() -> Any:
    return vars(PathFinder).get("find_distributions")


def _find_distributions(context: Any = None) -> Iterable[Any]:
    """As importlib.metadata.DistributionFinder.find_distributions."""
    from importlib.metadata import DistributionFinder, MetadataPathFinder  # noqa: PLC0415

    context = context or DistributionFinder.Context()
    for place in context.path:
        source = _sources.get(str(place))
        if source is None:
            here = DistributionFinder.Context(name=context.name, path=[place])
            yield from MetadataPathFinder.find_distributions(here)
        else:
            yield from _distributions(source, context.name)


_pythons_own: Final = _method()
_by_index: Final = staticmethod(_find_distributions)


def _distributions(source: _Source, name: str | None) -> Iterator[Any]:
    """A set's distributions; those of a name alone, however it is spelt."""
    from importlib.metadata import PathDistribution  # noqa: PLC0415 - few ask, and it is large

    class _IndexedDistribution(PathDistribution):
        def __init__(self, found: Distribution) -> None:
            super().__init__(Path(source.folder, found.folder))
            self._found = found

        def read_text(self, filename: Any) -> str | None:
            piece = self._found.texts.get(str(filename))
            data = piece and source.read(piece)
            if data:
                return data.decode().replace("\r\n", "\n").replace("\r", "\n")
            if piece is None and "/" not in str(filename) and filename not in self._found.files:
                return None
            return super().read_text(filename)

    wanted = None if name is None else _normalized(name)
    for each in source.modules.distributions():
        if wanted is None or _normalized(each.folder.partition("-")[0]) == wanted:
            yield _IndexedDistribution(each)


def _normalized(name: str) -> str:
    """A name as folders of distributions spell it. Source: PEP 503, and PEP 491."""
    return re.sub(r"[-_.]+", "-", name).lower().replace("-", "_")
