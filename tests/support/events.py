"""Real events of AWS services."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote_plus

from tests.support.places import EVENTS


def event_file(name: str) -> dict[str, Any]:
    """Read one of tests/events/."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text("utf-8"))
    return event


def object_created(
    bucket: str, key: str, *, tag: str | None = None, version_id: str | None = None
) -> dict[str, Any]:
    """Return the event file's S3 record, about this object."""
    record: dict[str, Any] = event_file("s3_object_created")["Records"][0]
    record["s3"]["bucket"]["name"] = bucket
    found = record["s3"]["object"]
    for name in ("versionId", "eTag"):
        del found[name]
    found["key"] = quote_plus(key, safe="/")
    if tag:
        found["eTag"] = tag.strip('"')  # an event has it bare
    if version_id:
        found["versionId"] = version_id
    return record


def message(*records: dict[str, Any], body: str | None = None, number: int = 1) -> dict[str, Any]:
    """Return the event file's SQS message, with these S3 records or with this body."""
    found: dict[str, Any] = event_file("sqs_s3_object_created")["Records"][0]
    found["messageId"] = f"message-{number}"
    found["body"] = json.dumps({"Records": list(records)}) if body is None else body
    return found
