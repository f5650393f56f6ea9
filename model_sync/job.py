"""The sync function: publishes where the store is mounted. `model_sync.job.handler`.

It takes a request, as the command line sends it,

    {"request_id", "verb": "publish", "model", "source", "label", "reason"}
    {"request_id", "verb": "list"}

and answers `{"state": "done", ...}` or `{"state": "failed", "error": {"code", "message"}}`. A
source is the key of uploaded contents (uploads.py) or `s3://BUCKET/PREFIX/`. How far it is can be
read at `.jobs/<request_id>.json` in the models bucket.

It also takes S3 events by way of a queue: a `model.toml` that arrives, which is uploaded last,
publishes its prefix. A record that fails is tried again by the queue.

Importing reads the settings: `STORE_PATH`, and `MODELS_BUCKET`.
"""

from __future__ import annotations

import json
import os
import re
import time
import urllib.parse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from model_store.errors import StoreError
from model_store.names import check_label, check_model
from model_store.refs import LATEST
from model_sync.commit import settle
from model_sync.creation import open_store
from model_sync.errors import RequestError, SyncError
from model_sync.job_settings import JobSettings
from model_sync.listing import list_published
from model_sync.publication import Publication, Published
from model_sync.publish import publish_source
from model_sync.recipe import RECIPE, read_recipe
from model_sync.s3_source import S3Source, explained, parse_s3_url
from model_sync.staging import Staging
from model_sync.uploads import CONTENTS, UploadedContents

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

JOBS: Final = ".jobs/"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_TELL_EVERY_S: Final = 1.0

settings: Final = JobSettings.from_environ(os.environ)
logger: Final = Logger(service="coldpress")
_s3: Final = boto3.client("s3")
_processor: Final = BatchProcessor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)


def handler(event: Mapping[str, Any], context: Any) -> Any:
    """Answer a request, or take up a queue's messages (partial failures are reported)."""
    if "Records" in event:
        return process_partial_response(
            event=dict(event), record_handler=_take_up, processor=_processor, context=context
        )
    try:
        return {"state": "done", **_answer(event)}
    except (SyncError, StoreError) as error:
        logger.exception("a request failed", request=event)
        code = error.code if isinstance(error, SyncError) else "store"
        return {"state": "failed", "error": {"code": code, "message": str(error)}}


def _answer(event: Mapping[str, Any]) -> dict[str, Any]:
    verb = event.get("verb")
    if verb == "list":
        return list_published(open_store(settings.store_path))
    if verb != "publish":
        raise RequestError(f"unknown verb {verb!r}: expected publish or list")
    request_id = str(event.get("request_id", ""))
    if not _REQUEST_ID.fullmatch(request_id):
        raise RequestError(f"request_id {request_id[:64]!r} is not 1 to 64 letters, digits, - or _")
    source = str(event.get("source", ""))
    label, reason = check_label(str(event.get("label") or LATEST)), str(event.get("reason", ""))
    progress = _Told(request_id)
    if source.startswith(CONTENTS):
        model = check_model(str(event.get("model", "")))
        published = _publish_uploaded(model, source, label, reason, progress)
    else:
        published = _publish_prefix(source, event.get("model"), label, reason, progress)
    found = asdict(published)
    del found["changed"]
    return found


def _publish_uploaded(model: str, key: str, label: str, reason: str, progress: _Told) -> Published:
    uploaded = UploadedContents(_s3, settings.models_bucket, key)
    layout = open_store(settings.store_path)
    with Staging(layout) as staging:
        settle(layout.model(model), staging)
        publication = Publication(layout, model, staging, progress)
        unchanged = publication.unchanged(uploaded.content.digest, label)
        if unchanged:
            return unchanged
        publication.stage_uploaded(uploaded)
        return publication.commit(label, reason)


def _publish_prefix(
    url: str, name: str | None, label: str, reason: str, progress: _Told
) -> Published:
    bucket, prefix = parse_s3_url(url)
    source = S3Source(_s3, bucket, prefix)
    recipe = read_recipe(source, name=name, implied_name=prefix.rstrip("/").rpartition("/")[2])
    layout = open_store(settings.store_path)
    return publish_source(source, recipe, layout, progress=progress, label=label, reason=reason)


def _take_up(record: SQSRecord) -> None:
    """Publish each prefix whose `model.toml` a message says has arrived."""
    message = json.loads(record.body)
    for item in message.get("Records", ()):  # S3's test event has none
        key = urllib.parse.unquote_plus(item["s3"]["object"]["key"])
        prefix, _, file = key.rpartition("/")
        if file != RECIPE or not prefix:
            continue
        url = f"s3://{item['s3']['bucket']['name']}/{prefix}/"
        published = _publish_prefix(
            url, None, LATEST, f"{RECIPE} arrived at {url}", _Told(record.message_id)
        )
        logger.info("published", published=asdict(published))


class _Told:
    """Progress as an object in the models bucket, written at most once a second."""

    def __init__(self, request_id: str) -> None:
        self._key = f"{JOBS}{request_id}.json"
        self._what, self._total, self._done, self._told_at = "", 0, 0, 0.0

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Say what begins."""
        self._what, self._total, self._done = what, total_bytes, 0
        self._tell()

    def advance(self, n_bytes: int) -> None:
        """Say how far it is, if it was long since."""
        self._done += n_bytes
        if time.monotonic() - self._told_at >= _TELL_EVERY_S:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        told = {"step": self._what, "done_bytes": self._done, "total_bytes": self._total}
        with explained(f"s3://{settings.models_bucket}/{self._key}"):
            _s3.put_object(
                Bucket=settings.models_bucket,
                Key=self._key,
                Body=json.dumps(told).encode(),
                ContentType="application/json",
            )
