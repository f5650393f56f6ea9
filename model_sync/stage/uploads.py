"""Upload a model's or a package set's files to S3, for the sync function to publish.

A blob is named by its digest and uploaded once. It is uploaded again if its size, or the SHA-256
that S3 keeps, does not match its name. The document that names the blobs is uploaded last, so that
they exist. This is the caller's side; the keys, and the sync function's side, which checks every
byte on the way into the store, are in sources/uploaded.py.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from boto3.s3.transfer import TransferConfig

from model_store import documents
from model_store.digests import Digest
from model_store.documents import FORMAT
from model_sync.errors import MissingError
from model_sync.sources.s3 import PART_BYTES, s3_errors_as_source_errors
from model_sync.sources.uploaded import BLOBS, CONTENTS, SETS

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.package_set import PackageSetManifest
    from model_store.version import VersionContent
    from model_sync.progress import Progress

_OTHER_CHECKSUMS: Final = ("ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1")
_TRANSFER: Final = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES)


class _Blob(NamedTuple):
    """A file to upload, with its digest and size."""

    digest: Digest
    size_bytes: int
    path: Path


def upload_contents(
    client: Any, bucket: str, content: VersionContent, folder: Path, progress: Progress
) -> str:
    """Upload the files of a staged version that the bucket lacks; return the contents' key.

    Raises SourceError naming the object that could not be uploaded.
    """
    blobs = [_Blob(each.digest, each.size_bytes, folder / each.path) for each in content.files]
    _upload(client, bucket, blobs, "files", progress)
    key = f"{CONTENTS}{content.digest.hex}.json"
    _put_document(client, bucket, key, content.to_json())
    return key


def upload_set(
    client: Any,
    bucket: str,
    manifest: PackageSetManifest,
    wheels: tuple[Path, ...],
    progress: Progress,
) -> str:
    """Upload a set's wheels that the bucket lacks; return the set's key. Raises SourceError."""
    blobs = [_blob_of(wheel) for wheel in wheels]
    _upload(client, bucket, blobs, "wheels", progress)
    listed = [
        {"file": each.path.name, "digest": str(each.digest), "size_bytes": each.size_bytes}
        for each in blobs
    ]
    key = f"{SETS}{manifest.digest.hex}.json"
    fields = {
        "target": manifest.target.to_json(),
        "pruned": manifest.pruned,
        "wheels": listed,
    }
    _put_document(client, bucket, key, fields)
    return key


def _upload(client: Any, bucket: str, blobs: list[_Blob], what: str, progress: Progress) -> None:
    missing = {each.digest: each for each in blobs if not _is_uploaded(client, bucket, each)}
    total = sum(each.size_bytes for each in missing.values())
    progress.step(f"uploading {len(missing)} of {len(blobs)} {what}", total)
    for each in missing.values():
        with s3_errors_as_source_errors(f"s3://{bucket}/{BLOBS}{each.digest.hex}", done="written"):
            client.upload_file(
                str(each.path),
                bucket,
                BLOBS + each.digest.hex,
                ExtraArgs={"ChecksumAlgorithm": "SHA256"},
                Callback=progress.advance,
                Config=_TRANSFER,
            )


def _is_uploaded(client: Any, bucket: str, blob: _Blob) -> bool:
    """Return True if the bucket holds a blob, judged without reading its bytes.

    For a blob that was uploaded in parts, S3 keeps a SHA-256 of the parts' checksums, which cannot
    be compared with the digest. The sync function detects such a blob if it is damaged, and its
    error says what to delete.
    """
    key = BLOBS + blob.digest.hex
    try:
        with s3_errors_as_source_errors(f"s3://{bucket}/{key}"):
            head = client.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    except MissingError:
        return False
    if head["ContentLength"] != blob.size_bytes:
        return False
    checksum = head.get("ChecksumSHA256")
    if checksum is None:  # uploads from here have one, unless the server keeps no checksums
        return not any(name in head for name in _OTHER_CHECKSUMS)
    return "-" in checksum or checksum == base64.b64encode(bytes.fromhex(blob.digest.hex)).decode()


def _blob_of(path: Path) -> _Blob:
    with path.open("rb") as stream:
        return _Blob(Digest.of_stream(stream), stream.tell(), path)


def _put_document(client: Any, bucket: str, key: str, fields: dict[str, Any]) -> None:
    body = documents.render({"format": FORMAT, **fields})
    with s3_errors_as_source_errors(f"s3://{bucket}/{key}", done="written"):
        client.put_object(Bucket=bucket, Key=key, Body=body, ChecksumAlgorithm="SHA256")
