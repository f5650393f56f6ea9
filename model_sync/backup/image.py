"""A backup of a store: a folder with an image of its tree, and BACKUP.json, written last.

    <folder>/BACKUP.json              the description; without it the folder is no complete backup
    <folder>/models/  packages/       as in the store, except refs.json, which restoring makes
    <folder>/UNFINISHED  staging/     only while a backup is in progress, or after one that died

There is no STORE.json, so no reader takes an image for a store. BACKUP.json names a generation of
every model. Folders and files that these generations do not name do not belong to the backup.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from model_store import documents
from model_store.digests import Digest
from model_store.documents import FORMAT, MAX_DOCUMENT_BYTES
from model_store.errors import DamagedError
from model_store.files import read_beneath
from model_store.layout import STAGING
from model_store.names import check_model
from model_sync.errors import BackupError
from model_sync.store_io import durable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

BACKUP_JSON: Final = "BACKUP.json"
UNFINISHED: Final = "UNFINISHED"
_OURS: Final = frozenset({BACKUP_JSON, UNFINISHED, STAGING, "models", "packages"})

_NOTE: Final = b"""\
A backup to this folder is in progress, or was interrupted. The next backup continues it.
"""


class Image(NamedTuple):
    """BACKUP.json, as a value. `Image.parse(i.render(), ...) == i`."""

    store_id: str
    made_at: str
    models: Mapping[str, int]
    """Generation of each model, by name."""
    package_sets: tuple[Digest, ...]
    """Digests of the package sets, sorted, including sets that no version names."""

    def render(self) -> bytes:
        """Return the document's bytes."""
        return documents.render(
            {
                "format": FORMAT,
                "store_id": self.store_id,
                "made_at": self.made_at,
                "models": dict(self.models),
                "package_sets": [str(digest) for digest in self.package_sets],
            }
        )

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Parse BACKUP.json; raises DamagedError or FormatTooNewError."""
        fields = documents.open_document(data, where)
        models = fields.fields("models")
        image = cls(
            store_id=fields.text("store_id"),
            made_at=fields.time("made_at"),
            models={
                models.checked(name, check_model): models.integer(name, minimum=1)
                for name in models.names()
            },
            package_sets=tuple(Digest.parse(text) for text in fields.texts("package_sets")),
        )
        fields.done()
        return image


def read_image(folder: Path) -> Image:
    """Read BACKUP.json of a complete backup.

    Raises BackupError if the folder is no complete backup; DamagedError or FormatTooNewError.
    """
    try:
        data = read_beneath(folder, BACKUP_JSON, MAX_DOCUMENT_BYTES)
    except FileNotFoundError:
        unfinished = " (a backup to it was not finished)" if (folder / UNFINISHED).exists() else ""
        raise BackupError(
            f"{folder} is no complete backup: it has no {BACKUP_JSON}{unfinished}"
        ) from None
    except OSError as error:
        raise BackupError(f"{folder / BACKUP_JSON} cannot be read: {error.strerror}") from error
    return Image.parse(data, str(folder / BACKUP_JSON))


def check_target(folder: Path, store_id: str) -> Image | None:
    """Check that a folder may take a backup of a store; return the backup that it holds, or None.

    A backup removes everything else from its folder. So this raises BackupError unless the folder
    is missing, empty, or a finished or unfinished backup of the same store.
    """
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    others = names - _OURS
    if others or (names and names.isdisjoint({BACKUP_JSON, UNFINISHED})):
        raise BackupError(
            f"{folder} is not a backup, and holds {min(others or names)!r}: "
            "name a folder that is missing, empty or a backup of this store"
        )
    if BACKUP_JSON not in names:
        return None
    image = read_image(folder)
    if image.store_id != store_id:
        raise BackupError(
            f"{folder} is a backup of another store, {image.store_id}, and this store is "
            f"{store_id}: name another folder"
        )
    return image


@contextlib.contextmanager
def writing_to(folder: Path) -> Iterator[None]:
    """Mark an image as unfinished and lock it against other writers; remove the mark on success.

    Files that an interrupted backup left in `staging/` are removed. Raises BackupError if another
    backup to the folder is in progress. On a file system without locks, others are not excluded.
    """
    marker = folder / UNFINISHED
    with contextlib.suppress(FileExistsError):
        durable.write_file(marker, _NOTE)
        durable.sync_folder(folder)
    with marker.open("rb+") as locked:
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(
                f"another backup to {folder} is in progress: wait for its end"
            ) from None
        except OSError:
            pass
        if not marker.exists() or not os.path.samestat(marker.stat(), os.fstat(locked.fileno())):
            raise BackupError(f"another backup to {folder} has just ended: try again")
        _remove_staging(folder)
        yield
        _remove_staging(folder)
        marker.unlink()
        durable.sync_folder(folder)


def install(folder: Path, image: Image, staged: Path) -> None:
    """Write BACKUP.json, in one step: the folder is then a complete backup."""
    durable.write_file(staged, image.render())
    durable.rename(staged, folder / BACKUP_JSON)


def uninstall(folder: Path) -> None:
    """Remove BACKUP.json: the folder is then no complete backup."""
    (folder / BACKUP_JSON).unlink(missing_ok=True)
    durable.sync_folder(folder)


def check_apart(folder: Path, root: Path) -> None:
    """Raise BackupError for a backup inside its store, or a store inside its backup."""
    one, other = folder.resolve(), root.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise BackupError(f"a backup and its store cannot be inside each other: {folder}, {root}")


def nearest(folder: Path) -> Path:
    """Return the nearest existing folder at or above a path: the one whose free space counts."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _remove_staging(folder: Path) -> None:
    staging = folder / STAGING
    if staging.is_symlink():
        raise DamagedError(f"{staging} is a link, which no backup makes: remove it")
    if staging.exists():
        shutil.rmtree(staging)
        durable.sync_folder(folder)
