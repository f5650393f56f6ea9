"""Find the package sets in use that keep a version from loading."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.package_sets.active_sets import find_conflict
from model_store.errors import NotFoundError
from model_store.reading import read_package_set, read_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_store.refs import VersionEntry


def find_conflicting_sets(
    layout: StoreLayout, model: str, entry: VersionEntry, in_use: Iterable[Digest]
) -> tuple[Digest, ...]:
    """Return the sets in use that hold another wheel of a package that a version needs.

    Reads manifests; for versions that failed to load. Raises StoreError.
    """
    packages = read_version(layout, model, entry).content.packages
    if packages is None:
        return ()
    wanted = read_package_set(layout, packages)
    conflicting = []
    for each in in_use:
        try:
            if find_conflict(wanted, [read_package_set(layout, each)]):
                conflicting.append(each)
        except NotFoundError:
            continue  # swept: serving/recycling_policy.py handles such sets
    return tuple(conflicting)
