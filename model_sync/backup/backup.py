"""Copies a store to a folder: an image (image.py) that `restore` makes a store of again.

1. Of each model: the newest refs are read, then what that generation names is copied, then every
   generation up to it. What a sweep deleted meanwhile is no longer named by the newest refs: then
   the model is copied as those say.
2. BACKUP.json, by one rename: from then on the folder is a backup of now. Until then it is what it
   was before, the backup of an earlier time or none.
3. What this backup does not name is removed.

Published things never change, so a second backup into the same folder copies what is new. What is
there it reads and checks, for a disk may have changed it: a backup that cannot be restored is none.
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
    being_written,
    check_apart,
    check_taker,
    install,
    nearest,
    uninstall,
)
from model_sync.backup.store_copy import StoreCopy, generation_in
from model_sync.errors import BackupError, RequestError
from model_sync.store_io.create_store import make_root
from model_sync.store_io.disk_space import require_space
from model_sync.store_io.staging import Staging
from model_sync.verify.published_folders import is_there_to_stay, list_sets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.refs import Refs
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import RequestFields


def backup(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Copy the store to `folder`, an absolute path: missing, empty, or an earlier backup of it.

    `trust_sizes`: believe what is there by the sizes of its files, and do not read it.
    Raises BackupError, SpaceError, StoreError: the folder is then the backup that it was before,
    or, where the past of a model is another than that one's, none.
    """
    folder, trust_sizes = Path(asked.text("folder")), asked.flag("trust_sizes")
    asked.done()
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
        """What the folder is a complete backup of, as long as it is that."""
        self._models: dict[str, int] = {}
        self._named: dict[str, set[Path]] = {}

    def run(self) -> dict[str, Any]:
        store_id = read_store_id(self._source)
        check_apart(self._folder, self._source.root)
        self._before = check_taker(self._folder, store_id)
        there, missing = self._sizes()
        require_space(nearest(self._folder), missing, "the backup")
        if not self._folder.is_dir():
            make_root(self._folder)
        with being_written(self._folder), Staging(self._target) as staging:
            if self._trust_sizes or not there:
                self._store.progress.step("copying to the backup", missing)
            else:
                self._store.progress.step(
                    "checking what is there, copying the rest", there + missing
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
        """How many bytes the image has and lacks of the store, as refs and manifests say them."""
        sizes = [0, 0]
        for place, size_bytes in self._published():
            sizes[not place.exists()] += size_bytes
        return sizes[0], sizes[1]

    def _published(self) -> Iterator[tuple[Path, int]]:
        """What is in the store: where that is in the image, and its size."""
        for name in list_models(self._source):
            refs = _newest(self._source, name)
            for entry in refs.versions.values() if refs else ():
                if entry.state is not State.DELETED:
                    yield self._target.model(name).version(entry.id), entry.size_bytes
        for digest in list_sets(self._source):
            with contextlib.suppress(NotFoundError):  # swept
                size_bytes = read_package_set(self._source, digest).size_bytes
                yield self._target.package_set(digest), size_bytes

    def _copy_model(self, copy: StoreCopy, staging: Staging, name: str) -> None:
        refs = _newest(self._source, name)
        while refs:
            try:
                self._forget_another(staging, refs)
                self._named[name] = copy.model(refs)
            except (StoreError, OSError):
                # A sweep may have deleted what these refs name: then newer ones say so.
                again = _newest(self._source, name)
                if again == refs:
                    raise
                refs = again
            else:
                self._models[name] = refs.generation
                return

    def _forget_another(self, staging: Staging, refs: Refs) -> None:
        """Let an earlier backup go where the model's past is not the one that it holds.

        Either the model was deleted and made anew, or the store's file system was put back to an
        earlier time. Refs hold their writers' ids: equal ones have one past.
        """
        before = self._before.models.get(refs.model) if self._before else None
        if before is None:
            return
        place, number = self._target.model(refs.model), min(before, refs.generation)
        ours = refs
        if number != refs.generation:
            found = read_generation(self._source.model(refs.model), number)
            if found is None:
                raise DamagedError(f"generation {number} of {refs.model!r} is missing in the store")
            ours = found
        if generation_in(place, number) != ours:
            uninstall(self._folder)
            self._before = None
            staging.withdraw(place.folder)

    def _copy_sets(self, copy: StoreCopy) -> None:
        """Those, too, that no version names yet."""
        for digest in list_sets(self._source):
            try:
                copy.package_set(digest)
            except (StoreError, OSError):
                if is_there_to_stay(self._source, self._source.package_set(digest)):
                    raise

    def _prune(self, staging: Staging, image: Image) -> int:
        """Remove what the image does not name; returns how many folders and files that were."""
        wanted = {self._target.model(name).folder for name in image.models}
        wanted |= {self._target.package_set(digest) for digest in image.package_sets}
        for named in self._named.values():
            wanted |= named
        found = [*_inside(self._target.models), *_inside(self._target.packages)]
        for name, generation in image.models.items():
            place = self._target.model(name)
            found += [*_inside(place.versions), *_inside(place.preparations)]
            wanted |= {place.generation(number) for number in range(1, generation + 1)}
            found += _inside(place.refs_folder)
        unwanted = [path for path in found if path not in wanted]
        for path in unwanted:
            staging.withdraw(path)
        return len(unwanted)


def _newest(layout: StoreLayout, name: str) -> Refs | None:
    """A model's newest refs; None where the model is gone, or about to go."""
    refs = read_upward(layout.model(name))
    return None if refs is None or refs.is_removed else refs


def _inside(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
