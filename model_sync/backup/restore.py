"""Restore a store from a backup (backup.py), under a new store id: warm readers start over.

1. Check that the root is missing or empty, and claim it by making `staging/` in it.
2. For each model, copy the folders that the backup's generation names, then its refs, then write
   refs.json.
3. Write STORE.json last: a partly restored folder is no store.

Models keep their ids, generations, labels and history.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING, Any

from model_store.errors import DamagedError
from model_store.layout import STAGING, StoreLayout
from model_store.reading import read_generation, read_package_set, read_store_id
from model_store.refs import State
from model_sync.backup.image import check_apart, nearest, read_image
from model_sync.backup.store_copy import StoreCopy
from model_sync.errors import BackupError
from model_sync.refs.commit import settle
from model_sync.store_io import durable
from model_sync.store_io.create_store import make_root, write_store_json
from model_sync.store_io.disk_space import require_space
from model_sync.store_io.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model_store.refs import Refs
    from model_sync.backup.image import Image
    from model_sync.progress import Progress


def restore(folder: Path, root: Path, progress: Progress) -> dict[str, Any]:
    """Make a store at `root`, which must be missing or empty, from the backup in `folder`.

    Raises BackupError, SpaceError, and StoreError if the backup is damaged; then the files that
    were restored are removed. A process that is killed leaves them, without STORE.json.
    """
    image = read_image(folder)
    check_apart(folder, root)
    source, target = StoreLayout(folder), StoreLayout(root)
    models = [_refs_of(source, name, number) for name, number in sorted(image.models.items())]
    try:
        require_empty(root)
        size_bytes = _size_bytes(source, image, models)
        require_space(nearest(root), size_bytes, "the store")
        with _claim_root(target):
            with Staging(target) as staging:
                progress.step("restoring from the backup", size_bytes)
                copy = StoreCopy(source, target, staging, progress)
                for refs in models:
                    copy.model(refs)
                    settle(target.model(refs.model), staging)
                for digest in image.package_sets:
                    copy.package_set(digest)
            if not write_store_json(target):
                raise BackupError(
                    f"another process made a store at {root}: it is kept; restore to another folder"
                )
    except OSError as error:
        raise BackupError(f"no store was restored to {root}: {error}") from error
    return {
        "store_id": read_store_id(target),
        "backup_of": image.store_id,
        "made_at": image.made_at,
        "models": dict(image.models),
        "copied": copy.copied,
    }


def require_empty(root: Path) -> None:
    """Raise BackupError for a root that is not empty, or a mount point. Raises OSError."""
    if os.path.ismount(root):
        raise BackupError(f"{root} is a mount point: name a folder below it")
    if root.is_dir() and (names := sorted(path.name for path in root.iterdir())):
        raise BackupError(
            f"{root} is not empty, it holds {names[0]!r}: name with --store a folder that is "
            "missing or empty (files of a restore that was killed may be deleted)"
        )


@contextlib.contextmanager
def _claim_root(target: StoreLayout) -> Iterator[None]:
    """Claim an empty root for this process, and empty it again if restoring fails."""
    if not target.root.is_dir():
        make_root(target.root)
    staging = target.root / STAGING
    try:
        staging.mkdir()
    except FileExistsError:
        raise BackupError(
            f"another process is writing to {target.root}: wait for its end"
        ) from None
    try:
        yield
    except BaseException:
        if not target.store_json.exists():
            for folder in (target.models, target.packages, staging):
                shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                durable.sync_folder(target.root)
        raise


def _refs_of(source: StoreLayout, name: str, number: int) -> Refs:
    refs = read_generation(source.model(name), number)
    if refs is None:
        raise DamagedError(f"the backup lacks {source.model(name).generation(number)}")
    return refs


def _size_bytes(source: StoreLayout, image: Image, models: list[Refs]) -> int:
    versions = sum(
        entry.size_bytes
        for refs in models
        for entry in refs.versions.values()
        if entry.state is not State.DELETED
    )
    sets = (read_package_set(source, digest).size_bytes for digest in image.package_sets)
    return versions + sum(sets)
