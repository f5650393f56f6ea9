"""The interface of a model's source: a folder, or a prefix in S3."""

from __future__ import annotations

from typing import Protocol

from model_sync.store_io.staging import Bytes


class Source(Bytes, Protocol):
    """A model's files, by paths with `/`. Each call reads again; all raise SourceError."""

    @property
    def name(self) -> str:
        """The source's name in messages."""

    def files(self, below: str = ".") -> tuple[str, ...]:
        """Return the sorted paths of all files below a folder, without hidden files."""

    def has(self, path: str) -> bool:
        """Return True if the file exists."""

    def size_bytes(self, path: str) -> int:
        """Return the size of one file."""
