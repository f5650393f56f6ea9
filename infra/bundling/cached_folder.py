"""Folders that are ready to upload, in a cache by keys of their inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Built:
    """A folder that is ready to upload, and the total size of its files."""

    folder: Path
    size_bytes: int

    @classmethod
    def at(cls, folder: Path) -> Built:
        """Describe a complete folder."""
        return cls(folder, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def put_in_place(made: Path, folder: Path) -> None:
    """Set modes and rename a built folder into the cache; of two concurrent builds, one wins.

    Lambda runs as another user, so files must be readable by all.
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
    """Format a size in the unit of Lambda's limits."""
    return f"{size_bytes / (1 << 20):.1f} MB"
