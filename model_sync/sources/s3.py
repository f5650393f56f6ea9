"""A prefix in an S3 bucket, as a Source (source.py), and the S3 client.

Each object is pinned at its first use: to its version if the bucket keeps versions, else to its
ETag. If a pinned object changes, the publication fails instead of mixing two states. Bytes arrive
through boto3's transfer library in parallel ranges, in order and in bounded memory.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import boto3
from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - not Python's own: it is a BotoCoreError
    HTTPClientError,
    NoCredentialsError,
)
from s3transfer.exceptions import (  # type: ignore[import-untyped]
    RetriesExceededError,
    S3DownloadFailedError,
)

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from model_sync.errors import MissingError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_sync.store_io.staging import Write

PART_BYTES: Final = 8 << 20
"""Size of a range. Ten ranges are fetched in parallel, so at most about 80 MB are in memory."""

_CONFIG: Final = Config(
    connect_timeout=3, read_timeout=30, retries={"mode": "standard", "total_max_attempts": 4}
)
"""An unreachable S3 is an error within seconds; boto3's default is a minute per attempt."""

_TRANSFER: Final = TransferConfig(
    multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_io_queue=10
)
_URL: Final = re.compile(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])/(.+)")


class Pin(NamedTuple):
    """The state of an object at its first use."""

    size_bytes: int
    etag: str
    version_id: str | None


def s3_client() -> Any:
    """Create a client by boto3's own settings (`AWS_ENDPOINT_URL_S3`, `AWS_PROFILE`, ...).

    No request is sent yet. Raises SourceError if a setting is wrong.
    """
    try:
        return boto3.client("s3", config=_CONFIG)
    except (BotoCoreError, ValueError) as error:  # ValueError: the endpoint is not a URL
        raise SourceError(f"no S3 client can be made: {error}") from error


def parse_s3_url(url: str) -> tuple[str, str]:
    """Split `s3://bucket/prefix/` into bucket and prefix; the prefix ends with a slash.

    Raises SourceError if `url` is not such an address.
    """
    match = _URL.fullmatch(url)
    if not match or not _is_utf8(url):
        raise SourceError(f"{url!r} is no S3 address: expected s3://BUCKET/PREFIX/")
    return match[1], match[2].rstrip("/") + "/"


class S3Source:
    """The objects below a prefix. `client` is boto3's S3 client."""

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._pins: dict[str, Pin] = {}

    @property
    def name(self) -> str:
        """The prefix's address."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def files(self, below: str = ".") -> tuple[str, ...]:
        """Return the sorted paths below a folder, without hidden objects and folder markers."""
        prefix = self._prefix if below == "." else f"{self._prefix}{check_relative_path(below)}/"
        with s3_errors_as_source_errors(f"s3://{self._bucket}/{prefix}"):
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=prefix
            )
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
        paths = (key[len(self._prefix) :] for key in keys if not key.endswith("/"))
        return tuple(sorted(path for path in paths if not _is_hidden(path)))

    def has(self, path: str) -> bool:
        """Return True if the object exists."""
        try:
            self._pin(path)
        except MissingError:
            return False
        return True

    def size_bytes(self, path: str) -> int:
        """Return the size of one object."""
        return self._pin(path).size_bytes

    def state(self, path: str) -> str:
        """Return the pinned state of one object: its version's id, else its ETag."""
        pin = self._pin(path)
        return pin.version_id or pin.etag.strip('"')

    def copy(self, path: str, write: Write) -> None:
        """Pass all bytes of one object, in its pinned state, to `write`."""
        pin = self._pin(path)
        arguments = {"VersionId": pin.version_id} if pin.version_id else {}
        with s3_errors_as_source_errors(self._address(path)):
            self._client.download_fileobj(
                self._bucket,
                self._prefix + path,
                _Sink(write),
                ExtraArgs=arguments,
                Config=_TRANSFER,
            )
        if not pin.version_id and self._head(path) != pin:
            raise SourceError(f"{self._address(path)} changed while it was read: publish again")

    def _pin(self, path: str) -> Pin:
        if path not in self._pins:
            try:
                check_relative_path(path)
            except InvalidNameError as error:
                raise SourceError(f"{self.name}: {error}") from error
            self._pins[path] = self._head(path)
        return self._pins[path]

    def _head(self, path: str) -> Pin:
        with s3_errors_as_source_errors(self._address(path)):
            head = self._client.head_object(Bucket=self._bucket, Key=self._prefix + path)
        version_id = head.get("VersionId")
        if version_id == "null":
            version_id = None
        return Pin(head["ContentLength"], head["ETag"], version_id)

    def _address(self, path: str) -> str:
        return f"{self.name}/{path}"


class _Sink:
    """File object for the transfer library. It has no `seek`, so blocks are written in order."""

    def __init__(self, write: Write) -> None:
        self.write = write


@contextlib.contextmanager
def s3_errors_as_source_errors(address: str, *, done: str = "read") -> Iterator[None]:
    """Turn boto3's errors into a SourceError of one line that names the address.

    `done` completes the sentence "ADDRESS cannot be ...".
    """
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in {"404", "NoSuchKey", "NoSuchBucket", "NotFound"}:
            raise MissingError(f"{address} is missing") from error
        if code in {"412", "PreconditionFailed"}:
            raise SourceError(f"{address} changed while it was read: publish again") from error
        raise SourceError(f"{address} cannot be {done}: {error}") from error
    except S3DownloadFailedError as error:  # a later part belongs to another state of the object
        raise SourceError(f"{address} changed while it was read: publish again") from error
    except (BotoCoreError, Boto3Error, RetriesExceededError) as error:
        reason = " ".join(str(error).split())
        raise SourceError(f"{address} cannot be {done}: {reason}{_remedy(error)}") from error


def _remedy(error: Exception) -> str:
    match error:
        case NoCredentialsError():
            return ": set AWS_PROFILE, or log in"
        case HTTPClientError() | ConnectionError():
            return ": check the network, the region and AWS_ENDPOINT_URL_S3, and try again"
    return ""


def _is_hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
