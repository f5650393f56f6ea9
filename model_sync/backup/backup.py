"""Back up a store to a folder, as an image (image.py) from which `restore` makes a store.

1. For each model, read the newest refs, copy the folders that this generation names, then every
   generation up to it. If a sweep deletes one of these folders, newer refs no longer name it: then
   copy the model by those.
2. Write BACKUP.json by one rename. Until then the folder is what it was before: an earlier backup,
   or none.
3. Remove what this backup does not name.

Published folders never change, so a second backup to the same folder copies only new ones. Existing
ones are read and checked, as the disk may have damaged them.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_store.documents import now
from model_store.errors import DamagedError, NotFoundError, StoreError
from model_store.layout import StoreLayout
from model_store.reading import (
    list_models,
    read_generation,
    read_package_set,
    read_store_id,
    read_upward,
)
from model_store.refs import State
from model_sync.backup.image import (
    Image,
    check_apart,
    check_target,
    install,
    nearest,
    uninstall,
    writing_to,
)
from model_sync.backup.store_copy import StoreCopy, generation_in
from model_sync.errors import BackupError, RequestError
from model_sync.store_io.create_store import make_root
from model_sync.store_io.disk_space import require_space
from model_sync.store_io.staging import Staging
from model_sync.verify.published_folders import exists_unclaimed, list_sets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.refs import Refs
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import RequestFields


def backup(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Copy the store to `folder`, an absolute path: missing, empty, or an earlier backup of it.

    `trust_sizes`: check the earlier backup's files by size only. Raises BackupError, SpaceError,
    StoreError. The folder then still holds its earlier backup, unless a model's history in the
    store differs from the history in that backup.
    """
    folder, trust_sizes = Path(request.text("folder")), request.flag("trust_sizes")
    request.done()
    if not folder.is_absolute():
        raise RequestError(f"'folder' is {str(folder)!r}: expected an absolute path")
    try:
        return _Backup(store, folder, trust_sizes=trust_sizes).run()
    except OSError as error:
        raise BackupError(f"no backup of {store.layout.root} to {folder}: {error}") from error


class _Backup:
    def __init__(self, store: MountedStore, folder: Path, *, trust_sizes: bool) -> None:
        self._store = store
        self._trust_sizes = trust_sizes
        self._source = store.layout
        self._folder = folder
        self._target = StoreLayout(folder)
        self._before: Image | None = None
        """Image of the earlier backup, while the folder is a complete backup."""
        self._models: dict[str, int] = {}
        self._named: dict[str, set[Path]] = {}

    def run(self) -> dict[str, Any]:
        store_id = read_store_id(self._source)
        check_apart(self._folder, self._source.root)
        self._before = check_target(self._folder, store_id)
        existing, missing = self._sizes()
        require_space(nearest(self._folder), missing, "the backup")
        if not self._folder.is_dir():
            make_root(self._folder)
        with writing_to(self._folder), Staging(self._target) as staging:
            if self._trust_sizes or not existing:
                self._store.progress.step("copying to the backup", missing)
            else:
                self._store.progress.step(
                    "checking the earlier backup, copying new files", existing + missing
                )
            copy = StoreCopy(
                self._source,
                self._target,
                staging,
                self._store.progress,
                trust_sizes=self._trust_sizes,
            )
            for name in list_models(self._source):
                self._copy_model(copy, staging, name)
            self._copy_sets(copy)
            image = Image(store_id, now(), self._models, tuple(sorted(copy.package_sets)))
            install(self._folder, image, staging.path("backup.json"))
            removed = self._prune(staging, image)
        return {
            "folder": str(self._folder),
            "store_id": store_id,
            "made_at": image.made_at,
            "models": self._models,
            "copied": copy.copied,
            "removed": removed,
        }

    def _sizes(self) -> tuple[int, int]:
        """Return the number of bytes that the image has of the store, and that it lacks."""
        sizes = [0, 0]
        for path, size_bytes in self._published():
            sizes[not path.exists()] += size_bytes
        return sizes[0], sizes[1]

    def _published(self) -> Iterator[tuple[Path, int]]:
        """Yield the folders in the store: the path in the image, and the size."""
        for name in list_models(self._source):
            refs = _newest_refs(self._source, name)
            for entry in refs.versions.values() if refs else ():
                if entry.state is not State.DELETED:
                    yield self._target.model(name).version(entry.id), entry.size_bytes
        for digest in list_sets(self._source):
            with contextlib.suppress(NotFoundError):  # swept
                size_bytes = read_package_set(self._source, digest).size_bytes
                yield self._target.package_set(digest), size_bytes

    def _copy_model(self, copy: StoreCopy, staging: Staging, name: str) -> None:
        refs = _newest_refs(self._source, name)
        while refs:
            try:
                self._discard_other_history(staging, refs)
                self._named[name] = copy.model(refs)
            except (StoreError, OSError):
                # A sweep may have deleted a folder that these refs name; newer refs do not.
                newest = _newest_refs(self._source, name)
                if newest == refs:
                    raise
                refs = newest
            else:
                self._models[name] = refs.generation
                return

    def _discard_other_history(self, staging: Staging, refs: Refs) -> None:
        """Discard the earlier backup if it holds another history of the model.

        Either the model was deleted and published again, or the store's file system was restored
        to an earlier time. Refs hold their writers' ids: equal refs have the same history.
        """
        before = self._before.models.get(refs.model) if self._before else None
        if before is None:
            return
        target, number = self._target.model(refs.model), min(before, refs.generation)
        ours = refs
        if number != refs.generation:
            generation = read_generation(self._source.model(refs.model), number)
            if generation is None:
                raise DamagedError(f"generation {number} of {refs.model!r} is missing in the store")
            ours = generation
        if generation_in(target, number) != ours:
            uninstall(self._folder)
            self._before = None
            staging.withdraw(target.folder)

    def _copy_sets(self, copy: StoreCopy) -> None:
        """Copy all package sets, including those that no version names yet."""
        for digest in list_sets(self._source):
            try:
                copy.package_set(digest)
            except (StoreError, OSError):
                if exists_unclaimed(self._source, self._source.package_set(digest)):
                    raise

    def _prune(self, staging: Staging, image: Image) -> int:
        """Remove what the image does not name; return the number of folders and files removed."""
        wanted = {self._target.model(name).folder for name in image.models}
        wanted |= {self._target.package_set(digest) for digest in image.package_sets}
        for named in self._named.values():
            wanted |= named
        existing = [*_entries(self._target.models), *_entries(self._target.packages)]
        for name, generation in image.models.items():
            target = self._target.model(name)
            existing += [*_entries(target.versions), *_entries(target.preparations)]
            wanted |= {target.generation(number) for number in range(1, generation + 1)}
            existing += _entries(target.refs_folder)
        unwanted = [path for path in existing if path not in wanted]
        for path in unwanted:
            staging.withdraw(path)
        return len(unwanted)


def _newest_refs(layout: StoreLayout, name: str) -> Refs | None:
    """Return a model's newest refs; None if the model is removed, or about to be."""
    refs = read_upward(layout.model(name))
    return None if refs is None or refs.is_removed else refs


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
