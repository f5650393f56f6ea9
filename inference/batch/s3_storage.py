"""Batches from S3 into S3.

An object is read in ranges, each whole before the next: a connection that stays open while records
are answered is closed by S3 sooner or later. Every range must come from the object that was opened
(by its entity tag), so a change meanwhile never mixes two objects.

An output of less than a part is one PUT, which appears whole or not; a larger one is a multipart
upload, which appears when it is completed. One that a killed function leaves unfinished is
invisible, and is for a lifecycle rule of the bucket to remove (AbortIncompleteMultipartUpload).

Needs s3:GetObject and s3:ListBucket on the bucket of the inputs (without the latter, S3 says 403
of an object that was deleted), and s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on
the bucket of the outputs.
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
    """The calls of boto3's S3 client that are made here. It retries what S3 asks to be retried."""

    def head_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102 - boto3's
    def get_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def put_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def delete_object(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def create_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def upload_part(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def complete_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102
    def abort_multipart_upload(self, **kwargs: Any) -> dict[str, Any]: ...  # noqa: D102


class S3Input:
    """The object that an event names, if it is still the one in its place.

    One that was replaced has an event of its own, so the older event has nothing left to do: were
    it answered all the same, and late, its outputs would lie over the newer one's. Raises
    ObjectGoneError, also for one that was deleted; StorageError.
    """

    def __init__(self, client: S3Client, event: S3Object) -> None:
        self._client = client
        self._event = event
        self._where = f"s3://{event.bucket}/{event.key}"
        _, self.name = split_key(event.key)
        head = self._head()
        self.size_bytes: int = head["ContentLength"]
        """Its size."""
        self._tag: str = head["ETag"]
        self._version_id: str | None = head.get("VersionId")
        if event.is_not(version_id=self._version_id, tag=self._tag):
            raise ObjectGoneError(f"{self._where} was replaced since its event")

    def describe(self) -> dict[str, Any]:
        """Bucket, key, size, entity tag, and the version's id in a bucket that has versions."""
        described = {
            "bucket": self._event.bucket,
            "key": self._event.key,
            "size_bytes": self.size_bytes,
            "etag": self._tag.strip('"'),
        }
        return described | ({"version_id": self._version_id} if self._version_id else {})

    def blocks(self) -> Iterator[bytes]:
        """Read it in ranges of RANGE_BYTES."""
        for start in range(0, self.size_bytes, RANGE_BYTES):
            yield self._read(start, min(start + RANGE_BYTES, self.size_bytes))

    def confirm(self) -> None:
        """Raise ObjectGoneError if it was replaced or deleted since it was opened."""
        head = self._head()
        if (head["ETag"], head.get("VersionId")) != (self._tag, self._version_id):
            raise ObjectGoneError(f"{self._where} was replaced while it was read")

    def _head(self) -> dict[str, Any]:
        with _faults_of_reading(self._where):
            return self._client.head_object(Bucket=self._event.bucket, Key=self._event.key)

    def _read(self, start: int, end: int) -> bytes:
        for further_tries in reversed(range(_TRIES)):
            with _faults_of_reading(self._where):
                found = self._client.get_object(
                    Bucket=self._event.bucket,
                    Key=self._event.key,
                    IfMatch=self._tag,
                    Range=f"bytes={start}-{end - 1}",
                )
                try:
                    data: bytes = found["Body"].read()
                except (BotoCoreError, HTTPError):  # boto3 does not retry once the body has begun
                    if not further_tries:
                        raise
                else:
                    return data
        raise AssertionError


class S3Outputs:
    """A bucket."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def create(self, key: str, content_type: str) -> S3Output:
        """Begin an object; nothing is sent yet."""
        return S3Output(self._client, self._bucket, key, content_type)

    def remove(self, key: str) -> None:
        """Delete an object; S3 does not mind if it is not there."""
        with _faults_of_writing(f"s3://{self._bucket}/{key}"):
            self._client.delete_object(Bucket=self._bucket, Key=key)


class S3Output:
    """One object that is being written, a part at a time."""

    def __init__(self, client: S3Client, bucket: str, key: str, content_type: str) -> None:
        self._client = client
        self._place = {"Bucket": bucket, "Key": key}
        self._where = f"s3://{bucket}/{key}"
        self._content_type = content_type
        self._held = bytearray()
        self._upload: dict[str, Any] | None = None
        self._parts: list[dict[str, Any]] = []

    def write(self, data: bytes) -> None:
        """Add bytes; sends a part whenever there are enough for one."""
        self._held += data
        if len(self._held) >= PART_BYTES:
            with _faults_of_writing(self._where):
                self._send_part()

    def commit(self) -> None:
        """Make the object visible."""
        with _faults_of_writing(self._where):
            if self._upload is None:
                self._client.put_object(
                    **self._place, Body=bytes(self._held), ContentType=self._content_type
                )
            else:
                if self._held:
                    self._send_part()
                self._client.complete_multipart_upload(
                    **self._upload, MultipartUpload={"Parts": self._parts}
                )
        self._held.clear()
        self._upload = None

    def discard(self) -> None:
        """Abort an upload that was begun."""
        self._held.clear()
        if self._upload is not None:
            with contextlib.suppress(ClientError, BotoCoreError):
                self._client.abort_multipart_upload(**self._upload)
            self._upload = None

    def _send_part(self) -> None:
        # S3 wants an upload's parts to be checked by the algorithm that its beginning named, and
        # its end to repeat what they came to.
        if self._upload is None:
            begun = self._client.create_multipart_upload(
                **self._place, ContentType=self._content_type, ChecksumAlgorithm="CRC32"
            )
            self._upload = {**self._place, "UploadId": begun["UploadId"]}
        number = len(self._parts) + 1
        sent = self._client.upload_part(
            **self._upload, PartNumber=number, Body=bytes(self._held), ChecksumAlgorithm="CRC32"
        )
        self._held.clear()
        self._parts.append(
            {"PartNumber": number, "ETag": sent["ETag"], "ChecksumCRC32": sent["ChecksumCRC32"]}
        )


@contextlib.contextmanager
def _faults_of_reading(where: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error.response["Error"]["Code"] in _GONE:
            raise ObjectGoneError(f"{where} was deleted or replaced") from error
        raise StorageError(f"{where} cannot be read: {_reason(error)}") from error
    except (BotoCoreError, HTTPError) as error:
        raise StorageError(f"{where} cannot be read: {_reason(error)}") from error


@contextlib.contextmanager
def _faults_of_writing(where: str) -> Iterator[None]:
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise StorageError(f"{where} cannot be written: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())
