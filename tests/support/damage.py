"""Damage to published files."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def flip_a_byte(path: Path, at: int = -1) -> None:
    """Damage a published file: same size, one bit differs."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def flip_in_the_middle(path: Path) -> None:
    """Damage a published file: same size, one bit in its middle differs."""
    flip_a_byte(path, path.stat().st_size // 2)
