"""Read the contents of a store by the rules that are safe on NFS.

1. A reader opens files. It does not stat, and does not list on the path of a predict call. NFS's
   close-to-open consistency makes an open fresh; cached attributes can be a minute old.
2. A missing STORE.json means that the store cannot be reached, never that it is empty.
3. `refs.json` may be older than the newest generation, because a writer may end between its link
   and its rename. A cold reader therefore reads upward from it until a generation is missing.
4. A reader never goes back: it ignores a generation lower than one that it has seen, unless the
   model was replaced by another (its id differs).
5. No link below the root is followed, and no document larger than MAX_DOCUMENT_BYTES is read.

Every function does its file operations when called. None keeps state, and all are thread-safe.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, NamedTuple

from model_store.digests import ALGORITHM, Digest
from model_store.documents import MAX_DOCUMENT_BYTES, open_document
from model_store.errors import (
    DamagedError,
    InvalidNameError,
    NotFoundError,
    StoreUnreachableError,
)
from model_store.files import read_beneath
from model_store.layout import MANIFEST, StoreLayout
from model_store.preparation import PreparationManifest
from model_store.refs import Refs, VersionEntry
from model_store.version import VersionManifest

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import ModelLayout
    from model_store.package_set import PackageSetManifest


class Seen(NamedTuple):
    """One model's refs as a reader saw them, and the id of the store."""

    store_id: str
    refs: Refs


def read_store_id(layout: StoreLayout) -> str:
    """Return the store's id; raises StoreUnreachableError, DamagedError or FormatTooNewError."""
    path = layout.store_json
    try:
        data = read_beneath(layout.root, path.name, MAX_DOCUMENT_BYTES)
    except FileNotFoundError:
        raise StoreUnreachableError(
            f"there is no store at {layout.root}: {path.name} is missing "
            "(is the file system mounted, and the path right?)"
        ) from None
    except OSError as error:
        raise StoreUnreachableError(f"{path} cannot be read: {error.strerror}") from error
    fields = open_document(data, str(path))
    store_id = fields.text("id")
    fields.done()
    return store_id


def read_model_id(layout: ModelLayout) -> str:
    """Return the id in MODEL.json; raises NotFoundError if it is missing, or DamagedError."""
    fields = open_document(_read(layout.root, layout.model_json), str(layout.model_json))
    model_id = fields.text("id")
    fields.done()
    return model_id


def read_upward(layout: ModelLayout) -> Refs | None:
    """Return the newest generation: `refs.json`'s, or a later one, until one is missing.

    Returns None if nothing was ever committed. Writers and cold readers read this way.
    """
    return read_upward_from(layout, _read_refs(layout, layout.refs_json))


def read_upward_from(layout: ModelLayout, newest: Refs | None) -> Refs | None:
    """Read upward from `newest`, the refs in `refs.json`; None if the file is missing."""
    while True:
        number = newest.generation + 1 if newest else 1
        later = read_generation(layout, number)
        if later is None or (newest and later.model_id != newest.model_id):
            return newest  # of another model: its writer missed the removal of the previous one
        newest = later


def read_generation(layout: ModelLayout, number: int) -> Refs | None:
    """Return one generation as it was committed, or None. Raises as `read_upward`."""
    refs = _read_refs(layout, layout.generation(number))
    if refs is not None and refs.generation != number:
        raise DamagedError(f"{layout.generation(number)} says generation {refs.generation}")
    return refs


def refresh(layout: StoreLayout, model: str, seen: Seen | None, *, upward: bool = False) -> Seen:
    """Read a model's refs again.

    Reads upward if `seen` is None, or with `upward`; else reads `refs.json` alone. The result is
    never older than `seen`, within one store and one model. Only reading upward is sure to find the
    newest generation, because `refs.json` may be behind until a writer settles.

    Raises StoreUnreachableError, NotFoundError if the store has no such model, DamagedError,
    FormatTooNewError. Opens two files or more, without a deadline of its own.
    """
    model_layout = layout.model(model)
    store_id = read_store_id(layout)
    if upward or seen is None or seen.store_id != store_id:
        refs = read_upward(model_layout)
    else:
        # `refs.json` may not exist yet: a first publication may have ended right after its link.
        refs = _read_refs(model_layout, model_layout.refs_json) or read_upward(model_layout)
    if refs is None:
        raise NotFoundError(f"no model is named {model!r} in the store at {layout.root}")
    if seen is not None and seen.store_id == store_id and _is_older(refs, seen.refs):
        return seen
    return Seen(store_id, refs)


def read_version(layout: StoreLayout, model: str, entry: VersionEntry) -> VersionManifest:
    """Read a version's manifest and compare it with its entry in refs; raises DamagedError."""
    path = layout.model(model).version(entry.id) / MANIFEST
    manifest = VersionManifest.parse(_read(layout.root, path), str(path))
    if (manifest.model, manifest.id, manifest.content.digest) != (model, entry.id, entry.digest):
        raise DamagedError(f"{path} is not the manifest that refs name")
    return manifest


def read_preparation(
    layout: StoreLayout, model: str, entry: VersionEntry, runtime: str
) -> PreparationManifest | None:
    """Read a version's preparation for one runtime; None if refs name none."""
    preparation_id = entry.preparations.get(runtime)
    if preparation_id is None:
        return None
    path = layout.model(model).preparation(preparation_id) / MANIFEST
    manifest = PreparationManifest.parse(_read(layout.root, path), str(path))
    identity = manifest.id, manifest.model, manifest.version_id, manifest.version_digest
    if (*identity, manifest.runtime) != (preparation_id, model, entry.id, entry.digest, runtime):
        raise DamagedError(f"{path} is not the preparation that refs name")
    return manifest


def read_package_set(layout: StoreLayout, digest: Digest) -> PackageSetManifest:
    """Read a package set's manifest; raises NotFoundError, DamagedError or FormatTooNewError."""
    # Imported here: most readers never use a package set.
    from model_store.package_set import PackageSetManifest  # noqa: PLC0415

    path = layout.package_set(digest) / MANIFEST
    try:
        data = _read(layout.root, path)
    except NotFoundError:
        raise NotFoundError(f"the store holds no package set {digest}") from None
    manifest = PackageSetManifest.parse(data, str(path))
    if manifest.digest != digest:
        raise DamagedError(f"{path} is the manifest of another package set, {manifest.digest}")
    return manifest


def find_package_set(layout: StoreLayout, text: str) -> Digest:
    """Return the digest of the package set that `text` abbreviates unambiguously.

    `text` is a digest or its first digits, with or without `sha256:`. Lists a folder, so do not
    call it on the path of a predict call. Raises InvalidNameError, NotFoundError.
    """
    digits = text.removeprefix(f"{ALGORITHM}:")
    if not 1 <= len(digits) <= 64 or digits.strip("0123456789abcdef"):
        raise InvalidNameError(
            f"{text!r} is no digest of a package set: expected {ALGORITHM}: and hexadecimal "
            "digits, all or the first of them"
        )
    names = [path.parent.name for path in layout.packages.glob(f"{digits}*/{MANIFEST}")]
    matches = sorted(name for name in names if len(name) == 64)
    if not matches:
        raise NotFoundError(f"no package set in the store at {layout.root} begins with {text}")
    if len(matches) > 1:
        raise NotFoundError(
            f"{len(matches)} package sets begin with {text}: "
            f"{', '.join(f'{ALGORITHM}:{name[:16]}' for name in matches[:4])}"
            f"{'' if len(matches) <= 4 else ', ...'}"
        )
    return Digest(ALGORITHM, matches[0])


def list_models(layout: StoreLayout) -> tuple[str, ...]:
    """Return the models' names, sorted; () if nothing was published.

    Lists a folder, so do not call it on the path of a predict call. Raises StoreUnreachableError.
    """
    read_store_id(layout)
    try:
        names = sorted(path.name for path in layout.models.iterdir() if _is_published(path))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise StoreUnreachableError(f"{layout.models} cannot be listed: {error}") from error
    return tuple(names)


def has_models(layout: StoreLayout) -> bool:
    """Return True if any model is published; stops at the first. Raises as `list_models`."""
    read_store_id(layout)
    try:
        return any(_is_published(path) for path in layout.models.iterdir())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreUnreachableError(f"{layout.models} cannot be listed: {error}") from error


def _is_older(refs: Refs, seen: Refs) -> bool:
    return refs.model_id == seen.model_id and refs.generation < seen.generation


def _is_published(folder: Path) -> bool:
    """Return True if a folder is a model with at least one committed generation."""
    try:
        layout = StoreLayout(folder.parent.parent).model(folder.name)
    except InvalidNameError:
        return False
    return layout.refs_json.exists() or layout.generation(1).exists()


def _read_refs(layout: ModelLayout, path: Path) -> Refs | None:
    try:
        data = _read(layout.root, path)
    except NotFoundError:
        return None
    refs = Refs.parse(data, str(path))
    if refs.model != layout.folder.name:
        raise DamagedError(f"{path} is of the model {refs.model!r}")
    return refs


def _read(root: Path, path: Path) -> bytes:
    try:
        return read_beneath(root, path.relative_to(root).as_posix(), MAX_DOCUMENT_BYTES)
    except FileNotFoundError:
        raise NotFoundError(f"{path} is missing") from None
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise DamagedError(f"{path} is a link, or its path contains one") from error
        raise StoreUnreachableError(f"{path} cannot be read: {error.strerror}") from error
