"""Buckets on the S3 server, the events that S3 would send of them, and who gets them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inference.batch.handler import BatchHandler
from inference.batch.settings import BatchSettings
from inference.settings import Settings
from tests.support.events import object_created

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Buckets:
    """Two buckets, and the client that made them."""

    s3: Any
    inputs: str
    outputs: str

    def empty(self) -> None:
        """Delete all objects; in a bucket with versions these stay, as they do on S3."""
        for bucket in (self.inputs, self.outputs):
            for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", []):
                self.s3.delete_object(Bucket=bucket, Key=each["Key"])
            for each in self.s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []):
                place = {"Key": each["Key"], "UploadId": each["UploadId"]}
                self.s3.abort_multipart_upload(Bucket=bucket, **place)

    def put(self, key: str, body: bytes) -> dict[str, Any]:
        """Put an input, and return the record that S3 would send of it."""
        put = self.s3.put_object(Bucket=self.inputs, Key=key, Body=body)
        return self.record(key, tag=put["ETag"], version_id=put.get("VersionId"))

    def record(
        self, key: str, *, tag: str | None = None, version_id: str | None = None
    ) -> dict[str, Any]:
        """The event file's record, about an object of the input bucket."""
        return object_created(self.inputs, key, tag=tag, version_id=version_id)

    def output(self, key: str) -> bytes:
        """Read an output."""
        body: bytes = self.s3.get_object(Bucket=self.outputs, Key=key)["Body"].read()
        return body

    def output_keys(self) -> list[str]:
        """The outputs that there are, at most 1,000."""
        found = self.s3.list_objects_v2(Bucket=self.outputs).get("Contents", [])
        return [each["Key"] for each in found]

    def unfinished_uploads(self) -> list[str]:
        """The keys of multipart uploads of outputs that were neither completed nor aborted."""
        found = self.s3.list_multipart_uploads(Bucket=self.outputs).get("Uploads", [])
        return [each["Key"] for each in found]

    def everything(self) -> dict[str, bytes]:
        """All outputs; of the summaries, all but their durations."""
        return {key: without_durations(key, self.output(key)) for key in self.output_keys()}


def make_buckets(s3: Any, name: str) -> Buckets:
    """Make two buckets."""
    made = Buckets(s3, f"{name}-in", f"{name}-out")
    for bucket in (made.inputs, made.outputs):
        s3.create_bucket(Bucket=bucket)
    return made


def without_durations(key: str, data: bytes) -> bytes:
    """An output without what is exempt from reproducibility."""
    if not key.endswith(".summary.json"):
        return data
    summary = json.loads(data)
    assert set(summary.pop("durations_ms")) == {"answering", "total"}
    return json.dumps(summary).encode()


def sqs_event(*messages: dict[str, Any]) -> dict[str, Any]:
    """Return an event as the queue's event source mapping sends it to the function."""
    return {"Records": list(messages)}


def handler_of(store: Path, buckets: Buckets) -> BatchHandler:
    """Return a batch function's handler that reads refs again for every object."""
    return BatchHandler(BatchSettings(Settings(store, ref_ttl_s=0.0), buckets.outputs), buckets.s3)


@dataclass(frozen=True)
class Context:
    """Part of Lambda's context object that the batch function reads."""

    left_ms: int = 900_000

    def get_remaining_time_in_millis(self) -> int:
        return self.left_ms


def failed_messages(answer: dict[str, Any]) -> list[str]:
    """The messages that an answer sends back to the queue."""
    assert set(answer) == {"batchItemFailures"}
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
