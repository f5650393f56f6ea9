"""Batch storage in S3.

An object is read in ranges, each to its end before the next: S3 would close a connection that stays
open while records are answered. Every range must come from the object that was opened (by its
entity tag), so a change in between never mixes two objects.

An output smaller than a part is one PUT. A larger one is a multipart upload, which becomes visible
when it is completed. If the function is killed, its upload stays incomplete and invisible; a
lifecycle rule of the bucket should remove it (AbortIncompleteMultipartUpload).

Needs s3:GetObject and s3:ListBucket on the bucket of the inputs (without the latter, S3 answers 403
for a deleted object), and s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on the bucket
of the outputs.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from inference.batch.errors import ObjectGoneError, StorageError
from inference.batch.keys import split_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.batch.s3_events import S3Object

RANGE_BYTES: Final = 8 << 20
PART_BYTES: Final = 8 << 20
"""A multipart upload may have 10,000 parts: outputs of up to 80 GiB."""

_TRIES: Final = 3
_GONE: Final = frozenset({"404", "NoSuchKey", "412", "PreconditionFailed", "416", "InvalidRange"})


class S3Client(Protocol):
    """The methods of boto3's S3 client that this module calls. The client does its own retries."""

    def head_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102 - boto3's
    def get_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def put_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def delete_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def create_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def upload_part(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def complete_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def abort_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102


class S3Input:
    """The object of an event. Construction checks that the object is still in its place.

    A replacement has an event of its own, so the older event has nothing left to do: answering it
    late would overwrite the outputs of the newer object. Raises ObjectGoneError if the object was
    replaced or deleted, StorageError if it cannot be read.
    """

    def __init__(self, client: S3Client, event: S3Object) -> None:
        self._client = client
        self._event = event
        self._where = f"s3://{event.bucket}/{event.key}"
        _, self.name = split_key(event.key)
        head = self._head()
        self.size_bytes: int = head["ContentLength"]
        """Size of the object."""
        self._tag: str = head["ETag"]
        self._version_id: str | None = head.get("VersionId")
        if event.differs_from(version_id=self._version_id, tag=self._tag):
            raise ObjectGoneError(f"{self._where} was replaced since its event")

    def describe(self) -> dict[str, Any]:
        """Return bucket, key, size, entity tag, and in a versioned bucket the version id."""
        described = {
            "bucket": self._event.bucket,
            "key": self._event.key,
            "size_bytes": self.size_bytes,
            "etag": self._tag.strip('"'),
        }
        return described | ({"version_id": self._version_id} if self._version_id else {})

    def blocks(self) -> Iterator[bytes]:
        """Yield the content in ranges of RANGE_BYTES."""
        for start in range(0, self.size_bytes, RANGE_BYTES):
            yield self._read(start, min(start + RANGE_BYTES, self.size_bytes))

    def confirm(self) -> None:
        """Raise ObjectGoneError if the object was replaced or deleted since construction."""
        head = self._head()
        if (head["ETag"], head.get("VersionId")) != (self._tag, self._version_id):
            raise ObjectGoneError(f"{self._where} was replaced while it was read")

    def _head(self) -> dict[str, Any]:
        with _read_errors(self._where):
            return self._client.head_object(Bucket=self._event.bucket, Key=self._event.key)

    def _read(self, start: int, end: int) -> bytes:
        for further_tries in reversed(range(_TRIES)):
            with _read_errors(self._where):
                response = self._client.get_object(
                    Bucket=self._event.bucket,
                    Key=self._event.key,
                    IfMatch=self._tag,
                    Range=f"bytes={start}-{end - 1}",
                )
                try:
                    data: bytes = response["Body"].read()
                except (BotoCoreError, HTTPError):  # boto3 does not retry a body's read
                    if not further_tries:
                        raise
                else:
                    return data
        raise AssertionError


class S3Outputs:
    """Bucket of the outputs."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def create(self, key: str, content_type: str) -> S3Output:
        """Begin an object, without a request to S3."""
        return S3Output(self._client, self._bucket, key, content_type)

    def remove(self, key: str) -> None:
        """Delete an object; a missing object is no error for S3."""
        with _write_errors(f"s3://{self._bucket}/{key}"):
            self._client.delete_object(Bucket=self._bucket, Key=key)


class S3Output:
    """One output object, sent in parts."""

    def __init__(self, client: S3Client, bucket: str, key: str, content_type: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        self._where = f"s3://{bucket}/{key}"
        self._content_type = content_type
        self._buffer = bytearray()
        self._upload: dict[str, Any] | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        """Append bytes; send a part when there are enough bytes for one."""
        self._buffer += data
        if len(self._buffer) >= PART_BYTES:
            with _write_errors(self._where):
                self._send_part()

    def commit(self) -> None:
        """Make the object visible."""
        with _write_errors(self._where):
            if self._upload is None:
                self._client.put_object(
                    **self._place, Body=bytes(self._buffer), ContentType=self._content_type
                )
            else:
                if self._buffer:
                    self._send_part()
                self._client.complete_multipart_upload(
                    **self._upload, MultipartUpload={"Parts": self._parts}
                )
        self._buffer.clear()
        self._upload = None

    def discard(self) -> None:
        """Abort the upload if one has begun."""
        self._buffer.clear()
        if self._upload is not None:
            with contextlib.suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**self._upload)
            self._upload = None

    def _send_part(self) -> None:
        # S3 checks each part by the checksum algorithm that create_multipart_upload names, and
        # complete_multipart_upload must repeat the parts' checksums.
        if self._upload is None:
            upload = self._client.create_multipart_upload(
                **self._place, ContentType=self._content_type, ChecksumAlgorithm="CRC32"
            )
            self._upload = {**self._place, "UploadId": upload["UploadId"]}
        number = len(self._parts) + 1
        sent = self._client.upload_part(
            **self._upload, PartNumber=number, Body=bytes(self._buffer), ChecksumAlgorithm="CRC32"
        )
        self._buffer.clear()
        self._parts.append(
            {"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]}
        )


@contextlib.contextmanager
def _read_errors(where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            raise ObjectGoneError(f"{where} was deleted or replaced") from error
        raise StorageError(f"{where} cannot be read: {_reason(error)}") from error
    except (BotoCoreError, HTTPError) as error:
        raise StorageError(f"{where} cannot be read: {_reason(error)}") from error


@contextlib.contextmanager
def _write_errors(where: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise StorageError(f"{where} cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())
