"""Uploads, as the sync function reads them: documents, and the blobs that they name.

    blobs/<sha256>          the bytes of one file, or of one wheel
    contents/<digest>.json  the files of a version, and its description
    sets/<digest>.json      the wheels of a package set, its target, and whether it is pruned

Uploads are checked: a document's key must match its contents, and each blob's digest is compared
with the document while the blob is copied. stage/uploads.py makes the uploads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from model_store import documents
from model_store.digests import ALGORITHM, Digest
from model_store.documents import Fields
from model_store.errors import DamagedError
from model_store.names import check_relative_path
from model_store.package_set import Target
from model_store.version import VersionContent
from model_sync.errors import MissingError, SourceError
from model_sync.sources.s3 import S3Source
from model_sync.store_io.disk_space import require_space
from model_sync.store_io.staging import copy_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_sync.store_io.staging import Write

BLOBS: Final = "blobs/"
CONTENTS: Final = "contents/"
SETS: Final = "sets/"
_MAX_BYTES: Final = 64 << 20


class UploadedContents:
    """The files of uploaded contents, by their paths in the version."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self.name = f"s3://{bucket}/{key}"
        self._blobs = S3Source(client, bucket, BLOBS)
        fields = _read_document(S3Source(client, bucket, ""), key, CONTENTS)
        try:
            self.content = VersionContent.from_fields(fields)
            fields.done()
        except DamagedError as error:  # the upload is wrong, not the store
            raise SourceError(str(error)) from error
        _check_name(self.name, key, CONTENTS, self.content.digest)
        self._entries = {entry.path: entry for entry in self.content.files}

    def damaged(self, path: str) -> SourceError:
        """Return the error for a file whose bytes do not match their digest."""
        return _damaged(self._blobs, self.name, path, self._entries[path].digest)

    def copy(self, path: str, write: Write) -> None:
        """Pass all bytes of one file to `write`."""
        _copy_blob(self._blobs, self.name, path, self._entries[path].digest, write)


class _Wheel(NamedTuple):
    file: str
    digest: Digest
    size_bytes: int

    @classmethod
    def from_json(cls, value: object, where: str) -> Self:
        fields = Fields(value, where)
        file = fields.name("file", check_relative_path)
        wheel = cls(file, fields.digest("digest"), fields.integer("size_bytes", minimum=0))
        fields.done()
        if "/" in file or not file.endswith(".whl"):
            raise DamagedError(f"{where}: {file!r} is no wheel's file name")
        return wheel


class UploadedSet:
    """The wheels of an uploaded package set. `digest` is the digest in its key."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self.name = f"s3://{bucket}/{key}"
        self._blobs = S3Source(client, bucket, BLOBS)
        fields = _read_document(S3Source(client, bucket, ""), key, SETS)
        try:
            digits = key.removeprefix(SETS).removesuffix(".json")
            self.digest = Digest.parse(f"{ALGORITHM}:{digits}")
            self.target = Target.from_fields(fields.fields("target"))
            self.pruned = fields.flag("pruned")
            self._wheels = tuple(
                _Wheel.from_json(item, f"{self.name}: wheels") for item in fields.items("wheels")
            )
            fields.done()
        except DamagedError as error:
            raise SourceError(str(error)) from error
        _check_name(self.name, key, SETS, self.digest)
        if len(self.digests) < len(self._wheels):
            raise SourceError(f"{self.name} names a wheel twice")

    @property
    def digests(self) -> dict[str, Digest]:
        """The wheels' digests by their file names."""
        return {wheel.file: wheel.digest for wheel in self._wheels}

    @property
    def size_bytes(self) -> int:
        """The total size of the wheels."""
        return sum(wheel.size_bytes for wheel in self._wheels)

    def copy_wheels(self, folder: Path, advance: Callable[[int], None]) -> tuple[Path, ...]:
        """Copy the wheels into a staged folder and check the digest of each.

        Raises SourceError; SpaceError before copying if the wheels do not fit.
        """
        folder.mkdir(exist_ok=True)
        require_space(folder, self.size_bytes, f"the wheels of {self.name}")
        for wheel in self._wheels:
            size = wheel.size_bytes
            copied = copy_in(self, wheel.file, folder, wheel.file, advance, size_bytes=size)
            if copied.digest != wheel.digest:
                raise _damaged(self._blobs, self.name, wheel.file, wheel.digest)
        return tuple(folder / wheel.file for wheel in self._wheels)

    def copy(self, path: str, write: Write) -> None:
        """Pass all bytes of one wheel to `write`."""
        _copy_blob(self._blobs, self.name, path, self.digests[path], write)


def _copy_blob(blobs: S3Source, name: str, path: str, digest: Digest, write: Write) -> None:
    try:
        blobs.copy(digest.hex, write)
    except MissingError as error:
        raise SourceError(f"{name} names {path!r}, whose bytes are gone: {error}") from None


def _damaged(blobs: S3Source, name: str, path: str, digest: Digest) -> SourceError:
    return SourceError(
        f"{name}: the bytes of {path!r} are damaged: delete {blobs.name}/{digest.hex}, and publish "
        "again"
    )


def _read_document(bucket: S3Source, key: str, prefix: str) -> Fields:
    if not key.startswith(prefix):
        raise SourceError(f"{key!r} is no upload: expected {prefix}<digest>.json")
    if bucket.size_bytes(key) > _MAX_BYTES:
        raise SourceError(f"{bucket.name}/{key} is larger than {_MAX_BYTES} bytes")
    blocks: list[bytes] = []
    bucket.copy(key, blocks.append)
    try:
        return documents.open_document(b"".join(blocks), f"{bucket.name}/{key}")
    except DamagedError as error:
        raise SourceError(str(error)) from error


def _check_name(name: str, key: str, prefix: str, digest: Digest) -> None:
    if key != f"{prefix}{digest.hex}.json":
        raise SourceError(f"{name} is damaged: its contents do not match its name")
