"""A source of a model's files: the interface of a folder, and of a prefix in S3."""

from __future__ import annotations

from typing import Protocol

from model_sync.store_io.staging import Bytes


class Source(Bytes, Protocol):
    """A model's files, by paths with `/`. Each call reads anew; SourceError names what is wrong."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def files(self, below: str = ".") -> tuple[str, ...]:
        """The paths of all files below a folder, sorted, hidden ones left out."""

    def has(self, path: str) -> bool:
        """Tell whether there is such a file."""

    def size_bytes(self, path: str) -> int:
        """The size of one file."""
