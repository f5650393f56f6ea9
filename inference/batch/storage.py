"""Interfaces of a batch's storage, as run.py uses them: inputs and outputs.

Two implementations: S3 (s3_storage.py) and a folder on this machine (folder_storage.py). Every
method raises StorageError if reading or writing fails.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator


class Input(Protocol):
    """One input object in the state in which it was opened."""

    @property
    def name(self) -> str:
        """Key of the object, without the model's name."""

    @property
    def size_bytes(self) -> int:
        """Size of the object."""

    def describe(self) -> dict[str, Any]:
        """Return the object's identity for the summary; equal in every run over the object."""

    def blocks(self) -> Iterator[bytes]:
        """Yield the content from its beginning, in blocks of at most a few MiB.

        Raises ObjectGoneError if the object is deleted or replaced during the read.
        """

    def confirm(self) -> None:
        """Raise ObjectGoneError unless the object that was read is still in its place."""


class Output(Protocol):
    """One output object in progress; invisible to readers before `commit`."""

    def write(self, data: bytes) -> None:
        """Append bytes; memory use does not grow with the object's size."""

    def commit(self) -> None:
        """Make the complete object visible; replace an older one."""

    def discard(self) -> None:
        """Remove every trace of the object; never raises, and does nothing after `commit`."""


class Outputs(Protocol):
    """Destination of the outputs."""

    def create(self, key: str, content_type: str) -> Output:
        """Begin an object."""

    def remove(self, key: str) -> None:
        """Delete an object; a missing object is no error."""
