"""Where a batch's objects come from and where its outputs go: what run.py asks of them.

Two implementations: S3 (s3_storage.py) and a folder on this machine (folder_storage.py). Each of
their methods raises StorageError where reading or writing fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Input(Protocol):
    """One object, as it was when it was opened."""

    @property
    def name(self) -> str:
        """Its key, without the model's name."""

    @property
    def size_bytes(self) -> int:
        """Its size."""

    def describe(self) -> dict[str, Any]:
        """Say which object this is, for the summary: the same for the same bytes, always."""

    def blocks(self) -> Iterator[bytes]:
        """Read it from its beginning, in blocks of at most a few MiB.

        Raises ObjectGoneError when it was deleted or replaced meanwhile.
        """

    def confirm(self) -> None:
        """Raise ObjectGoneError unless the object that was read is still the one in its place."""


class Output(Protocol):
    """One object that is being written. Nobody sees any of it before `commit`."""

    def write(self, data: bytes) -> None:
        """Add bytes; memory use does not grow with their sum."""

    def commit(self) -> None:
        """Put it in its place, whole, in place of whatever was there."""

    def discard(self) -> None:
        """Leave nothing of it; never raises, and does nothing after `commit`."""


class Outputs(Protocol):
    """The place that outputs go to."""

    def create(self, key: str, content_type: str) -> Output:
        """Begin an object."""

    def remove(self, key: str) -> None:
        """Delete an object; nothing happens if it is not there."""
