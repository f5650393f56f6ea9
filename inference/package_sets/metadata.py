"""`importlib.metadata` for package sets: versions and entry points from the index.

Python's own way lists `site-packages` and opens a file for each query. This module replaces a
method of Python's own finder. The replacement uses a set's index for the folders of package sets
and Python's own way for all others, in the order of `sys.path`. It replaces a method, and adds no
finder, because a backport (importlib_metadata) removes that method and then finds everything
itself.

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
    _replace(_original_method, _indexed_method)


def hide(folder: str) -> None:
    """Use Python's own way for this folder again."""
    if _sources.pop(folder, None) and not _sources:
        _replace(_indexed_method, _original_method)


def _replace(current: Any, new: Any) -> None:
    # If the method is neither, a backport (importlib_metadata) has removed it: leave it alone.
    if _method() is current and new is not None:
        PathFinder.find_distributions = new  # type: ignore[method-assign]


def _method() -> Any:
    return vars(PathFinder).get("find_distributions")


def _find_distributions(context: Any = None) -> Iterable[Any]:
    """See importlib.metadata.DistributionFinder.find_distributions."""
    from importlib.metadata import DistributionFinder, MetadataPathFinder  # noqa: PLC0415

    context = context or DistributionFinder.Context()
    for folder in context.path:
        source = _sources.get(str(folder))
        if source is None:
            here = DistributionFinder.Context(name=context.name, path=[folder])
            yield from MetadataPathFinder.find_distributions(here)
        else:
            yield from _distributions(source, context.name)


_original_method: Final = _method()
_indexed_method: Final = staticmethod(_find_distributions)


def _distributions(source: _Source, name: str | None) -> Iterator[Any]:
    """Return a set's distributions, or those of one name in any spelling."""
    from importlib.metadata import PathDistribution  # noqa: PLC0415 - few ask, and it is large

    class _IndexedDistribution(PathDistribution):
        def __init__(self, distribution: Distribution) -> None:
            super().__init__(Path(source.folder, distribution.folder))
            self._distribution = distribution

        def read_text(self, filename: Any) -> str | None:
            piece = self._distribution.texts.get(str(filename))
            data = piece and source.read(piece)
            if data:
                return data.decode().replace("\r\n", "\n").replace("\r", "\n")
            if (
                piece is None
                and "/" not in str(filename)
                and filename not in self._distribution.files
            ):
                return None
            return super().read_text(filename)

    wanted = None if name is None else _normalized(name)
    for each in source.modules.distributions():
        if wanted is None or _normalized(each.folder.partition("-")[0]) == wanted:
            yield _IndexedDistribution(each)


def _normalized(name: str) -> str:
    """Return a name as `.dist-info` folders spell it. Source: PEP 503, PEP 491."""
    return re.sub(r"[-_.]+", "-", name).lower().replace("-", "_")
