"""A backup of a store: a folder with an image of its tree, and BACKUP.json, written last.

    <folder>/BACKUP.json              what the image is: a folder without it is no complete backup
    <folder>/models/  packages/       as in the store, but for refs.json, which restoring makes
    <folder>/UNFINISHED  staging/     only while a backup is being written, or after one that died

There is no STORE.json, so no reader takes an image for a store. BACKUP.json names the generation
of every model: what is in the folder beside what these generations name is not of the backup.
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
A backup is being written here, or one ended before its end. The next one goes on from here.
"""


class Image(NamedTuple):
    """BACKUP.json. `parse(i.render(), ...) == i`, and back."""

    store_id: str
    made_at: str
    models: Mapping[str, int]
    """The generation of each model."""
    package_sets: tuple[Digest, ...]
    """Sorted; those that versions import from, and those that no version names yet."""

    def render(self) -> bytes:
        """The document's bytes."""
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
        """Read BACKUP.json; raises DamagedError or FormatTooNewError."""
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
    """Read what a complete backup holds.

    Raises BackupError for a folder that is none; DamagedError or FormatTooNewError.
    """
    try:
        data = read_beneath(folder, BACKUP_JSON, MAX_DOCUMENT_BYTES)
    except FileNotFoundError:
        begun = " (one was begun there, and did not end)" if (folder / UNFINISHED).exists() else ""
        raise BackupError(
            f"{folder} is no complete backup: it has no {BACKUP_JSON}{begun}"
        ) from None
    except OSError as error:
        raise BackupError(f"{folder / BACKUP_JSON} cannot be read: {error.strerror}") from error
    return Image.parse(data, str(folder / BACKUP_JSON))


def check_taker(folder: Path, store_id: str) -> Image | None:
    """Refuse a folder that holds anything but a backup of this store, or the beginning of one.

    Returns what it is a complete backup of; None: it is none yet.

    What a backup does not name is removed from its folder: it had better be a backup's. Raises
    BackupError.
    """
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    strangers = names - _OURS
    if strangers or (names and names.isdisjoint({BACKUP_JSON, UNFINISHED})):
        raise BackupError(
            f"{folder} is no backup, and holds {min(strangers or names)!r}: "
            "name a folder that is missing, empty or a backup of this store"
        )
    if BACKUP_JSON not in names:
        return None
    image = read_image(folder)
    if image.store_id != store_id:
        raise BackupError(
            f"{folder} is a backup of another store, {image.store_id}, and this one is {store_id}: "
            "name another folder"
        )
    return image


@contextlib.contextmanager
def being_written(folder: Path) -> Iterator[None]:
    """Mark an image as not finished, and keep others from writing it; unmarked if all goes well.

    What an earlier backup left unfinished in `staging/` goes. Raises BackupError where another is
    at work; where the file system has no locks, nobody is kept from it.
    """
    marker = folder / UNFINISHED
    with contextlib.suppress(FileExistsError):
        durable.write_file(marker, _NOTE)
        durable.sync_folder(folder)
    with marker.open("rb+") as locked:
        try:
            fcntl.flock(locked, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"another backup is being written to {folder}: wait for it") from None
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
    """Make a folder the complete backup that BACKUP.json says, in one step."""
    durable.write_file(staged, image.render())
    durable.rename(staged, folder / BACKUP_JSON)


def uninstall(folder: Path) -> None:
    """Say that a folder is no complete backup any more."""
    (folder / BACKUP_JSON).unlink(missing_ok=True)
    durable.sync_folder(folder)


def check_apart(folder: Path, root: Path) -> None:
    """Refuse a backup inside its store, or a store inside its backup; raises BackupError."""
    one, other = folder.resolve(), root.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise BackupError(f"a backup and its store lie apart, and {folder} and {root} do not")


def nearest(folder: Path) -> Path:
    """The folder itself, or the one above it that is there: where there must be room for it."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())


def _remove_staging(folder: Path) -> None:
    staging = folder / STAGING
    if staging.is_symlink():
        raise DamagedError(f"{staging} is a link: no backup makes one")
    if staging.exists():
        shutil.rmtree(staging)
        durable.sync_folder(folder)
