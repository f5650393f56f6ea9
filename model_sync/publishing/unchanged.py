"""Compare a folder with published contents by reading it, without copying.

The answer is True only if copying would produce the same contents. In any doubt it is False, and
the copy then raises the error.
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
    """Return True if a source has the published contents.

    `packages`: the published package set of the source's requirements. Files are read the smallest
    first until one differs, so changed contents are usually found quickly. Raises OSError.
    """
    try:
        files = _files(source, recipe, packages, published)
        if files is None:
            return False
        progress.step("comparing with the published version", published.size_bytes)
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
    """Map the source's files to their paths in the version; None if it is another version."""
    plan = plan_contents(recipe, source)
    if plan.version_content(published.files, packages) != published:
        return None
    known = {**plan.graph_files, **plan.pipeline_files, **plan.golden_files}
    left = {entry.path for entry in published.files} - set(known.values())
    prefix = f"{SOURCE}/"
    if not all(path.startswith(prefix) for path in left):
        return None
    # If the graph is the same, it names the same external data files.
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
