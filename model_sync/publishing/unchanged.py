"""Tells whether a folder holds what is published already, by reading it: nothing is copied.

Only what would be found the same by copying it may be called the same here; where anything is in
doubt, it is not, and copying it says what is the matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_store.layout import SOURCE
from model_sync.errors import RecipeError, SourceError
from model_sync.publishing.contents import plan_contents
from model_sync.store_io.hashing import Hashing

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_store.digests import Digest
    from model_store.version import VersionContent
    from model_sync.progress import Progress
    from model_sync.sources.recipe import Recipe
    from model_sync.sources.source import Source


def is_unchanged(
    source: Source,
    recipe: Recipe,
    packages: Digest | None,
    published: VersionContent,
    progress: Progress,
) -> bool:
    """Whether a source's contents are these; `packages`: the set that its requirements came to.

    The files are read the smallest first, until one differs: other contents mostly cost little.
    Raises OSError.
    """
    try:
        files = _files(source, recipe, packages, published)
        if files is None:
            return False
        progress.step("comparing with what is published", published.size_bytes)
        sizes = {path: source.size_bytes(path) for path in files}
        wanted = {entry.path: entry for entry in published.files}
        if any(size != wanted[files[path]].size_bytes for path, size in sizes.items()):
            return False
        return all(
            _digest(source, path, progress.advance) == wanted[files[path]].digest
            for path in sorted(files, key=lambda path: sizes[path])
        )
    except (SourceError, RecipeError):
        return False


def _files(
    source: Source, recipe: Recipe, packages: Digest | None, published: VersionContent
) -> dict[str, str] | None:
    """The source's files by what they would be in the version; None: it would be another."""
    plan = plan_contents(recipe, source)
    if plan.version_content(published.files, packages) != published:
        return None
    known = {**plan.graph_files, **plan.pipeline_files, **plan.golden_files}
    left = {entry.path for entry in published.files} - set(known.values())
    prefix = f"{SOURCE}/"
    if not all(path.startswith(prefix) for path in left):
        return None
    # The graph says which its external data are: if it is the same, they are those.
    external = plan.external_files(path.removeprefix(prefix) for path in left)
    plan.refuse_unassigned(external)
    files = {**known, **external}
    return files if set(files.values()) == {entry.path for entry in published.files} else None


def _digest(source: Source, path: str, advance: Callable[[int], None]) -> Digest:
    with Hashing() as hashing:

        def take(block: bytes) -> None:
            hashing.update(block)
            advance(len(block))

        source.copy(path, take)
        return hashing.digest()
