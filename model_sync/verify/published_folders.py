"""Published folders with their files: versions, preparations, package sets.

The list of files comes from the folder's manifest, which is checked against refs or the folder's
name. It includes the manifest itself, whose bytes are known: a parsed manifest renders in one way
only.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.digests import ALGORITHM, Digest
from model_store.documents import MAX_DOCUMENT_BYTES, open_document
from model_store.errors import DamagedError, StoreError
from model_store.files import FileEntry, parse_files, read_beneath
from model_store.layout import MANIFEST
from model_store.package_set import FILES
from model_store.reading import read_package_set, read_preparation, read_version
from model_sync.package_sets.unused_marks import is_claimed
from model_sync.store_io.trash import names_in

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from model_store.layout import StoreLayout
    from model_store.package_set import PackageSetManifest
    from model_store.preparation import PreparationManifest
    from model_store.refs import VersionEntry

_SET_NAME: Final = re.compile(r"[0-9a-f]{64}")


class PublishedFolder(NamedTuple):
    """A published folder, with every file in it."""

    folder: Path
    files: tuple[FileEntry, ...]
    packages: Digest | None = None
    """Package set of a version."""
    chunks: frozenset[tuple[str, tuple[str, ...]]] = frozenset()
    """Chunk digests that preparations record for files here: a path, and its digests."""

    @property
    def content_bytes(self) -> int:
        """Total size of the files, without the documents."""
        return sum(entry.size_bytes for entry in self.files if not is_document(entry))


def is_document(entry: FileEntry) -> bool:
    """Return True for a manifest or a set's list of files, which recorded sizes leave out."""
    return entry.path in {MANIFEST, FILES}


def version_folder(layout: StoreLayout, model: str, entry: VersionEntry) -> PublishedFolder:
    """Return the folder of a version that refs name; raises StoreError."""
    manifest = read_version(layout, model, entry)
    files = (_document(MANIFEST, manifest.render()), *manifest.content.files)
    folder = layout.model(model).version(entry.id)
    return PublishedFolder(folder, files, manifest.content.packages)


def version_with_chunks(layout: StoreLayout, model: str, entry: VersionEntry) -> PublishedFolder:
    """Return a version's folder, with the chunks that preparations record; raises StoreError."""
    version = version_folder(layout, model, entry)
    chunks: set[tuple[str, tuple[str, ...]]] = set()
    for runtime in entry.preparations:
        with contextlib.suppress(StoreError):  # reported for the preparation itself
            preparation = read_preparation(layout, model, entry, runtime)
            chunks |= _chunks_of(preparation, version.files)
    return version._replace(chunks=frozenset(chunks))


def preparation_folder(
    layout: StoreLayout, model: str, entry: VersionEntry, runtime: str
) -> PublishedFolder:
    """Return the folder of a version's preparation for a runtime; raises StoreError."""
    manifest = read_preparation(layout, model, entry, runtime)
    if manifest is None:
        raise DamagedError(f"refs name no preparation of {model!r} for {runtime}")
    folder = layout.model(model).preparation(manifest.id)
    files = (_document(MANIFEST, manifest.render()), *manifest.files)
    return PublishedFolder(folder, files, None, _chunks_of(manifest, manifest.files))


def package_set_folder(layout: StoreLayout, digest: Digest) -> PublishedFolder:
    """Return the folder of a package set; raises StoreError."""
    manifest = read_package_set(layout, digest)
    folder = layout.package_set(digest)
    try:
        data = read_beneath(folder, FILES, MAX_DOCUMENT_BYTES)
    except OSError as error:
        raise DamagedError(f"{folder / FILES} cannot be read: {error.strerror}") from error
    entries = _parse_files(manifest, data, str(folder / FILES))
    documents = _document(MANIFEST, manifest.render()), _document(FILES, data)
    return PublishedFolder(folder, (*documents, *entries))


def list_sets(layout: StoreLayout) -> tuple[Digest, ...]:
    """Return the digests of the folders in `packages/`; raises OSError."""
    try:
        names = [path.name for path in layout.packages.iterdir()]
    except FileNotFoundError:
        return ()
    return tuple(Digest(ALGORITHM, name) for name in sorted(names) if _SET_NAME.fullmatch(name))


def exists_unclaimed(layout: StoreLayout, folder: Path) -> bool:
    """Return True if a package set exists, and no sweep has emptied it or started to delete it.

    A sweep that dies leaves an emptied or claimed folder; a sweep a day later deletes it.
    """
    if not os.path.lexists(folder):
        return False
    try:
        empty = not names_in(layout.root, layout.packages.name, folder.name)
        return not (empty or is_claimed(layout, Digest(ALGORITHM, folder.name)))
    except OSError:  # not a folder, or unreadable
        return True


def _parse_files(manifest: PackageSetManifest, data: bytes, where: str) -> tuple[FileEntry, ...]:
    """Return the files that `files.json` lists, by their paths in the set's folder."""
    if (digest := Digest.of_bytes(data)) != manifest.files_digest:
        raise DamagedError(
            f"{where} is damaged: published with digest {manifest.files_digest}, it has {digest}"
        )
    fields = open_document(data, where)
    entries = parse_files(fields.items("files"), f"{where}: files")
    fields.done()
    size_bytes = sum(entry.size_bytes for entry in entries)
    if (len(entries), size_bytes) != (manifest.files, manifest.size_bytes):
        raise DamagedError(
            f"{where} lists {len(entries)} files, {size_bytes} bytes; the manifest says "
            f"{manifest.files} files, {manifest.size_bytes} bytes"
        )
    return entries


def _chunks_of(
    preparation: PreparationManifest | None, files: Iterable[FileEntry]
) -> frozenset[tuple[str, tuple[str, ...]]]:
    """Return the chunks that a preparation records for some files."""
    chunks = preparation.chunks if preparation else {}
    return frozenset((file.path, chunks[file.path]) for file in files if file.path in chunks)


def _document(path: str, data: bytes) -> FileEntry:
    return FileEntry(path, len(data), Digest.of_bytes(data))
