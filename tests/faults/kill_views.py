"""Readers' view of a store, with every byte checked: whole, or a Torn error with the reason.

`look` reads as a reader does, and then checks everything that refs name: versions and their
preparations, package sets, every file's digest, and that any user may read the file.
`check_places` also checks the folders that no document names: each folder in place is complete.
"""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, NamedTuple

from inference.loading.loader import RUNTIME
from model_store.documents import open_document
from model_store.errors import NotFoundError, StoreError, StoreUnreachableError
from model_store.files import check_file, parse_files
from model_store.layout import MANIFEST, UNUSED, StoreLayout
from model_store.package_set import FILES, PackageSetManifest
from model_store.preparation import PreparationManifest
from model_store.reading import (
    Seen,
    list_models,
    read_package_set,
    read_preparation,
    read_version,
    refresh,
)
from model_store.refs import State
from model_store.version import VersionManifest
from model_sync.package_sets.unused_marks import DELETING
from model_sync.store_io.durable import FILE_MODE, FOLDER_MODE
from tests.faults.kill_scenarios import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from model_store.files import FileEntry
    from model_store.refs import Refs


class TornError(AssertionError):
    """A reader would see something that is neither the state before nor the one after."""


class View(NamedTuple):
    """Return a generation without the ids and times that differ between runs."""

    generation: int
    next_version: int
    labels: Mapping[str, int]
    split: Mapping[str, int]
    versions: Mapping[int, tuple[str, str, tuple[str, ...]]]
    holds: Mapping[str, int]


def look(root: Path, seen: Seen | None = None) -> tuple[View | None, Seen | None]:
    """Read as a reader that has seen this, and check all there is to read; None: nothing there.

    Raises TornError.
    """
    layout = StoreLayout(root)
    try:
        now = refresh(layout, MODEL, seen)
    except (NotFoundError, StoreUnreachableError):
        return None, seen
    except StoreError as error:
        raise TornError(f"refs cannot be read: {error}") from error
    try:
        _check_named(layout, now.refs)
    except StoreError as error:
        raise TornError(f"generation {now.refs.generation}: {error}") from error
    return _view(now.refs), now


def check_places(root: Path, *, sweeps: bool = False) -> dict[str, int]:
    """Check that whatever is in place is complete, named or not, and count it; raises TornError.

    `sweeps`: a package set may have lost its manifest, or be claimed (unused_marks.py).
    """
    layout = StoreLayout(root)
    model = layout.model(MODEL)
    try:
        for folder in _folders(model.versions):
            path = folder / MANIFEST
            _check_version(folder, VersionManifest.parse(path.read_bytes(), str(path)))
        for folder in _folders(model.preparations):
            path = folder / MANIFEST
            PreparationManifest.parse(path.read_bytes(), str(path))
        for folder in _folders(layout.packages):
            if sweeps and ((folder / DELETING).exists() or not (folder / MANIFEST).exists()):
                continue
            if folder.name != UNUSED:
                _check_set(layout, folder)
        if layout.store_json.exists() and not set(list_models(layout)) <= {MODEL}:
            raise TornError(f"readers see {list_models(layout)}")
    except (StoreError, OSError) as error:
        raise TornError(f"what is in place is not complete: {error}") from error
    parents = (layout.models, model.versions, model.preparations, layout.packages)
    return {parent.name: len(_folders(parent)) for parent in parents}


def _view(refs: Refs) -> View:
    return View(
        refs.generation,
        refs.next_version,
        dict(refs.labels),
        dict(refs.split),
        {
            number: (str(entry.state), str(entry.digest), tuple(entry.preparations))
            for number, entry in refs.versions.items()
        },
        {job: hold.version for job, hold in refs.holds.items()},
    )


def _check_named(layout: StoreLayout, refs: Refs) -> None:
    model = layout.model(refs.model)
    _check_readable(layout.root, layout.store_json)
    _check_readable(layout.root, model.model_json)
    for number in range(1, refs.generation + 1):
        _check_readable(layout.root, model.generation(number))
    if model.refs_json.exists():
        _check_readable(layout.root, model.refs_json)
    for entry in refs.versions.values():
        if entry.state is State.DELETED:
            continue
        manifest = read_version(layout, refs.model, entry)
        folder = model.version(entry.id)
        _check_version(folder, manifest)
        for path in (MANIFEST, *(file.path for file in manifest.content.files)):
            _check_readable(layout.root, folder / path)
        if read_preparation(layout, refs.model, entry, RUNTIME):
            preparation = model.preparation(entry.preparations[RUNTIME])
            _check_readable(layout.root, preparation / MANIFEST)
        if manifest.content.packages:
            read_package_set(layout, manifest.content.packages)
            folder = layout.package_set(manifest.content.packages)
            for file in _check_set(layout, folder):
                _check_readable(layout.root, folder / file.path)


def _check_version(folder: Path, manifest: VersionManifest) -> None:
    _check_files(folder, manifest.content.files, {MANIFEST})


def _check_set(layout: StoreLayout, folder: Path) -> tuple[FileEntry, ...]:
    path = folder / FILES
    fields = open_document(path.read_bytes(), str(path))
    files = parse_files(fields.items("files"), str(path))
    fields.done()
    _check_files(folder, files, {MANIFEST, FILES})
    path = folder / MANIFEST
    manifest = PackageSetManifest.parse(path.read_bytes(), str(path))
    if layout.package_set(manifest.digest) != folder:
        raise TornError(f"{path} is of another package set")
    return files


def _check_files(folder: Path, files: tuple[FileEntry, ...], besides: set[str]) -> None:
    for entry in files:
        check_file(folder, entry)
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    if there != {entry.path for entry in files} | besides:
        raise TornError(f"{folder} holds {sorted(there)}")


def _check_readable(root: Path, path: Path) -> None:
    """Another user must be able to read it: its mode, and those of the folders above."""
    places = [(path, FILE_MODE)]
    while path != root:
        path = path.parent
        places.append((path, FOLDER_MODE))
    for place, wanted in places:
        mode = stat.S_IMODE(place.stat().st_mode)
        if mode != wanted:
            raise TornError(f"{place} has mode {mode:o}")


def _folders(parent: Path) -> list[Path]:
    return list(parent.iterdir()) if parent.exists() else []
