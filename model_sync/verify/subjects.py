"""Subjects of verifying: the folders that refs name, and the package sets by their names."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from model_store.digests import ALGORITHM, Digest
from model_store.errors import StoreError
from model_store.reading import read_package_set
from model_store.refs import State
from model_sync.verify.published_folders import (
    package_set_folder,
    preparation_folder,
    version_with_chunks,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.refs import Refs
    from model_sync.verify.published_folders import PublishedFolder


class Subject(NamedTuple):
    """A published folder, with its name in reports and a function that reads its manifest."""

    kind: str
    """Counter in the report: `versions`, `preparations`, `package_sets`."""
    what: str
    folder: Path
    size_bytes: int
    """Size for progress; 0 for a set that cannot be read."""
    read: Callable[[], PublishedFolder]


def version_subjects(layout: StoreLayout, refs: Refs) -> Iterator[Subject]:
    """Yield the versions of a model that are not deleted, each with its preparations."""
    model = layout.model(refs.model)
    for number, entry in sorted(refs.versions.items()):
        if entry.state is State.DELETED:
            continue
        what = f"{refs.model}@{number}"
        read = partial(version_with_chunks, layout, refs.model, entry)
        yield Subject("versions", what, model.version(entry.id), entry.size_bytes, read)
        for runtime, prepared in sorted(entry.preparations.items()):
            read = partial(preparation_folder, layout, refs.model, entry, runtime)
            yield Subject("preparations", what, model.preparation(prepared), 0, read)


def set_subjects(layout: StoreLayout, digits: Iterable[str]) -> Iterator[Subject]:
    """Yield package sets, given by the digits of their digests."""
    for each in sorted(digits):
        digest = Digest(ALGORITHM, each)
        try:
            size_bytes = read_package_set(layout, digest).size_bytes
        except StoreError:
            size_bytes = 0
        folder = layout.package_set(digest)
        what = folder.relative_to(layout.root).as_posix()
        read = partial(package_set_folder, layout, digest)
        yield Subject("package_sets", what, folder, size_bytes, read)
