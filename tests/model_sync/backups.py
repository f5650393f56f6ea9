"""Looking at backups and at what comes back from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_sync.__main__ import main
from model_sync.backup.image import BACKUP_JSON
from model_sync.backup.restore import restore
from model_sync.progress import Silent
from tests.model_sync.rich_store import ask
from tests.support.snapshots import modes

if TYPE_CHECKING:
    from pathlib import Path

    from model_sync.progress import Progress


def back_up(root: Path, folder: Path, progress: Progress | None = None) -> dict[str, Any]:
    """Back a store up."""
    return ask(root, "backup", progress, folder=str(folder))


def verified_and_restored(root: Path, folder: Path) -> Path:
    """A store that a backup of this one was restored to; all by the command line, without fault."""
    backup, again = folder / "backup", folder / "again"
    assert main(["verify", "--store", str(root)]) == 0
    assert main(["backup", str(backup), "--store", str(root)]) == 0
    assert main(["restore", str(backup), "--store", str(again)]) == 0
    return again


def tree(root: Path) -> dict[str, bytes | None]:
    """Return the entries below a folder: bytes of files, None for folders."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(root.rglob("*"))
    }


def store_tree(root: Path) -> dict[str, bytes | None]:
    """Return the part of a store that a backup keeps and that restoring brings back."""
    left_out = ("staging", "trash", "packages/.unused")
    return {
        path: data
        for path, data in tree(root).items()
        if path != "STORE.json" and not path.startswith(left_out)
    }


def image_tree(folder: Path) -> dict[str, bytes | None]:
    """The same of a backup's folder."""
    return {path: data for path, data in tree(folder).items() if path != BACKUP_JSON}


def without_refs_json(found: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """Return all entries except those that restoring creates again."""
    return {path: data for path, data in found.items() if not path.endswith("/refs.json")}


def is_restorable(folder: Path, root: Path) -> bool:
    """Restore, and tell whether what came back is sound; a folder that is refused is not."""
    restore(folder, root, Silent())
    assert ask(root, "verify")["problems"] == []
    assert set(modes(root).values()) <= {0o755, 0o644}
    return True
