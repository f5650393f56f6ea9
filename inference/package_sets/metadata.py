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
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from inference.package_sets.importer import IndexedSite
    from model_store.module_index import Distribution

_sites: Final[dict[str, IndexedSite]] = {}
"""The sets whose distributions are found by their index, by the place on `sys.path`."""


def show(site: IndexedSite) -> None:
    """Have a set's distributions found by its index, from now on."""
    _sites[site.folder] = site
    _replace(_pythons_own, _by_index)


def hide(site: IndexedSite) -> None:
    """Have them found as ever again."""
    if _sites.pop(site.folder, None) and not _sites:
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
        site = _sites.get(str(place))
        if site is None:
            here = DistributionFinder.Context(name=context.name, path=[place])
            yield from MetadataPathFinder.find_distributions(here)
        else:
            yield from _found(site, context.name)


_pythons_own: Final = _method()
_by_index: Final = staticmethod(_find_distributions)


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
