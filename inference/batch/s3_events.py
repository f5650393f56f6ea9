"""Messages of the queue: S3's event notifications, as S3 sends them to SQS. Pure.

A body is an S3 event document with one or more records, or the test event that S3 sends when a
bucket's notifications are set up. Keys are URL-encoded, with `+` for a blank. Source: the S3 user
guide, "Event message structure".
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

from inference.batch.errors import EventError

TEST_EVENT: Final = "s3:TestEvent"
_CREATED: Final = "ObjectCreated:"


@dataclass(frozen=True, slots=True)
class S3Object:
    """The object in an event record: decoded key; version id and entity tag if known."""

    bucket: str
    key: str
    version_id: str | None = None
    tag: str | None = None

    def differs_from(self, *, version_id: str | None, tag: str) -> bool:
        """Return True if an object with this version id and tag is not the event's."""
        other_version = None not in {self.version_id, version_id} and self.version_id != version_id
        return other_version or (self.tag is not None and self.tag.strip('"') != tag.strip('"'))


def objects_in(body: str) -> tuple[S3Object, ...]:
    """Return the objects in a message, none for S3's test event; raises EventError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise EventError(f"the message is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise EventError("the message is not an S3 event: expected a JSON object")
    if document.get("Event") == TEST_EVENT:
        return ()
    records = document.get("Records")
    if not isinstance(records, list) or not records:
        raise EventError("the message is not an S3 event: it has no 'Records'")
    return tuple(_object(record) for record in records)


def _object(record: Any) -> S3Object:
    source, name = _text(record, "eventSource"), _text(record, "eventName")
    if source != "aws:s3" or not name.removeprefix("s3:").startswith(_CREATED):
        raise EventError(
            f"the message is {name!r} of {source!r}: a batch takes only {_CREATED}* of 'aws:s3'"
        )
    encoded = _text(record, "s3", "object", "key")
    try:
        key = unquote_plus(encoded, errors="strict")
    except UnicodeDecodeError:
        raise EventError(f"the message's key {encoded!r} is not URL-encoded UTF-8") from None
    described = record["s3"]["object"]
    return S3Object(
        bucket=_text(record, "s3", "bucket", "name"),
        key=key,
        version_id=described.get("versionId") or None,
        tag=described.get("eTag") or None,
    )


def _text(value: Any, *path: str) -> str:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if not isinstance(value, str) or not value:
        raise EventError(f"the message is not an S3 event: a record has no {'.'.join(path)!r}")
    return value
