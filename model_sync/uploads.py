"""Contents on their way to a store that this machine cannot reach: by digest, through S3.

    blobs/<sha256>          the bytes of one file
    contents/<digest>.json  which files make a version, and what it is

A blob is uploaded once, whoever needs it and however often; contents come last, so that what they
name is there. The sync function takes both up, and checks every byte on the way into the store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from boto3.s3.transfer import TransferConfig

from model_store import documents
from model_store.documents import FORMAT
from model_store.errors import DamagedError
from model_store.version import VersionContent
from model_sync.errors import MissingError, SourceError
from model_sync.s3_source import PART_BYTES, S3Source, explained

if TYPE_CHECKING:
    from pathlib import Path

    from model_sync.progress import Progress
    from model_sync.source import Write

BLOBS: Final = "blobs/"
CONTENTS: Final = "contents/"
_TRANSFER: Final = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)
_MOST_BYTES: Final = 64 << 20


def upload_contents(
    client: Any, bucket: str, content: VersionContent, folder: Path, progress: Progress
) -> str:
    """Upload what of a staged version's files the bucket lacks; return the contents' key.

    Raises SourceError naming what could not be uploaded.
    """
    blobs = S3Source(client, bucket, BLOBS)
    missing = [entry for entry in content.files if not blobs.has(entry.digest.hex)]
    total = sum(entry.size_bytes for entry in missing)
    progress.step(f"uploading {len(missing)} of {len(content.files)} files", total)
    for entry in missing:
        with explained(f"s3://{bucket}/{BLOBS}{entry.digest.hex}"):
            client.upload_file(
                str(folder / entry.path),
                bucket,
                BLOBS + entry.digest.hex,
                ExtraArgs={"ChecksumAlgorithm": "SHA256"},
                Callback=progress.advance,
                Config=_TRANSFER,
            )
    key = f"{CONTENTS}{content.digest.hex}.json"
    body = documents.render({"format": FORMAT, **content.to_json()})
    with explained(f"s3://{bucket}/{key}"):
        client.put_object(Bucket=bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256")
    return key


class UploadedContents:
    """A Source of the files that uploaded contents name, by their paths in the version."""

    def __init__(self, client: Any, bucket: str, key: str) -> None:
        self.name = f"s3://{bucket}/{key}"
        self._blobs = S3Source(client, bucket, BLOBS)
        self.content = _read_contents(S3Source(client, bucket, ""), key)
        self._entries = {entry.path: entry for entry in self.content.files}

    def files(self, below: str = ".") -> tuple[str, ...]:
        """The paths of all files below a folder, sorted."""
        prefix = "" if below == "." else f"{below}/"
        return tuple(path for path in sorted(self._entries) if path.startswith(prefix))

    def has(self, path: str) -> bool:
        """Tell whether the contents name such a file."""
        return path in self._entries

    def size_bytes(self, path: str) -> int:
        """The size of one file."""
        return self._entries[path].size_bytes

    def copy(self, path: str, write: Write) -> None:
        """Give all bytes of one file to `write`."""
        try:
            self._blobs.copy(self._entries[path].digest.hex, write)
        except MissingError as error:
            raise SourceError(
                f"{self.name} names {path!r}, whose bytes are gone: {error}"
            ) from None


def _read_contents(bucket: S3Source, key: str) -> VersionContent:
    if not key.startswith(CONTENTS):
        raise SourceError(f"{key!r} names no contents: expected {CONTENTS}<digest>.json")
    if bucket.size_bytes(key) > _MOST_BYTES:
        raise SourceError(f"{bucket.name}/{key} is larger than {_MOST_BYTES} bytes")
    blocks: list[bytes] = []
    bucket.copy(key, blocks.append)
    try:
        fields = documents.open_document(b"".join(blocks), f"{bucket.name}/{key}")
        content = VersionContent.from_fields(fields)
        fields.done()
    except DamagedError as error:  # what was sent is wrong, not the store
        raise SourceError(str(error)) from error
    if key != f"{CONTENTS}{content.digest.hex}.json":
        raise SourceError(f"{bucket.name}/{key} is damaged: its name does not follow from it")
    return content
