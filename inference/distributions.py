"""`importlib.metadata` for package sets: versions and entry points by the index.

Python's own way lists `site-packages` and opens a file for each question. What stands in
`sys.meta_path` for it here asks a set's index for the places that have one, and Python's own
finder for all others, in the order of `sys.path`.

Source: https://docs.python.org/3/library/importlib.metadata.html, "Extending the search algorithm".
"""

from __future__ import annotations

import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.indexed_imports import IndexedSite
    from model_store.module_index import Distribution

_sites: Final[dict[str, IndexedSite]] = {}
"""The sets whose distributions are found by their index, by the place on `sys.path`."""


class SetPathFinder(PathFinder):
    """Python's finder for `sys.path`, which asks the index of a set for its distributions."""

    @classmethod
    def find_distributions(cls, context: Any = None) -> Iterable[Any]:
        """As importlib.metadata.DistributionFinder.find_distributions."""
        from importlib.metadata import DistributionFinder, MetadataPathFinder  # noqa: PLC0415

        context = context or DistributionFinder.Context()
        for place in context.path:
            site = _sites.get(str(place))
            if site is None:
                here = DistributionFinder.Context(name=context.name, path=[place])
                yield from MetadataPathFinder.find_distributions(here)
            else:
                yield from _found(site, context.name)


SetPathFinder.__name__ = PathFinder.__name__
"""By its name it is looked for in `sys.meta_path`: typeguard does."""


def show(site: IndexedSite) -> None:
    """Have a set's distributions found by its index, from now on."""
    _sites[site.folder] = site
    _replace(PathFinder, SetPathFinder)


def hide(site: IndexedSite) -> None:
    """Have them found as ever again."""
    if _sites.pop(site.folder, None) and not _sites:
        _replace(SetPathFinder, PathFinder)


def _replace(finder: type[PathFinder], other: type[PathFinder]) -> None:
    for number, each in enumerate(sys.meta_path):
        if each is finder:
            sys.meta_path[number] = other


def _found(site: IndexedSite, name: str | None) -> Iterator[Any]:
    """A set's distributions; those of a name alone, however it is spelt."""
    from importlib.metadata import PathDistribution  # noqa: PLC0415 - few ask, and it is large

    class _IndexedDistribution(PathDistribution):
        def __init__(self, found: Distribution) -> None:
            super().__init__(Path(site.folder, found.folder))
            self._found = found

        def read_text(self, filename: Any) -> str | None:
            piece = self._found.texts.get(str(filename))
            data = piece and site.read(piece)
            if data:
                return data.decode().replace("\r\n", "\n").replace("\r", "\n")
            if piece is None and "/" not in str(filename) and filename not in self._found.files:
                return None
            return super().read_text(filename)

    wanted = None if name is None else _normalized(name)
    for each in site.index.distributions():
        if wanted is None or _normalized(each.folder.partition("-")[0]) == wanted:
            yield _IndexedDistribution(each)


def _normalized(name: str) -> str:
    """A name as folders of distributions spell it. Source: PEP 503, and PEP 491."""
    return re.sub(r"[-_.]+", "-", name).lower().replace("-", "_")
