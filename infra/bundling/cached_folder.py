"""Folders that are ready to upload, kept in a cache under keys made of all that went into them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Built:
    """A folder that is ready to upload, and what its files come to."""

    folder: Path
    size_bytes: int

    @classmethod
    def at(cls, folder: Path) -> Built:
        """Describe a folder that is complete."""
        return cls(folder, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def put_in_place(made: Path, folder: Path) -> None:
    """Give what was made its modes and its name; of two who make the same at once, one does.

    Lambda runs as a user of its own, so files that only their owner may read are of no use there.
    """
    for path in made.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    made.chmod(0o755)
    try:
        made.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise


def in_mib(size_bytes: int) -> str:
    """A size in the unit in which Lambda counts."""
    return f"{size_bytes / (1 << 20):.1f} MB"
