"""Handler of the sync function: answers requests, a queue's messages, and the probe.

A request comes from the command line (requests.py). Its answer is one of

    {"state": "done", ...}                            the verb's result, as `--json` prints it
    {"state": "continue", "resume": "<id>"}           call again, with "resume": "<id>"
    {"state": "failed", "error": {"code", "message"}}

The progress of a request can be read from `.jobs/<request_id>.json` in the models bucket.

A queue's messages hold S3's events. A `model.toml`, which must be uploaded last, publishes its
prefix when it arrives. The queue delivers a failed message again. sync_function.py creates the
handler.
"""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnxruntime
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from inference.loading.loader import RUNTIME
from model_store.errors import StoreError
from model_store.layout import StoreLayout
from model_store.package_set import Target
from model_store.reading import read_store_id
from model_store.release import VERSION
from model_sync.admin.operations import ONLY_HERE, OPERATIONS, run_operation
from model_sync.admin.package_sets import list_sets
from model_sync.admin.show import list_published
from model_sync.errors import RequestError, SyncError, code_of
from model_sync.identity import publisher
from model_sync.mounted_store import MountedStore
from model_sync.package_sets.publish import describe_packages
from model_sync.package_sets.runtime_packages import installed_runtime
from model_sync.publishing.resume import ToBeContinued
from model_sync.sources.recipe import RECIPE, read_recipe
from model_sync.sources.s3 import S3Source, parse_s3_url
from model_sync.sources.uploaded import CONTENTS, UploadedContents, UploadedSet
from model_sync.store_io.create_store import open_store
from model_sync.sync_job.progress_object import ProgressObject
from model_sync.sync_job.publish import publish_prefix, publish_uploaded, publish_uploaded_set
from model_sync.sync_job.requests import PROBE, PublishRequest, request_id_of, source_of
from model_sync.sync_job.s3_events import arrivals_in, was_published
from model_sync.time_limit import TimeLimit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from model_sync.sync_job.settings import JobSettings

    Verb = Callable[[Mapping[str, Any], Any], dict[str, Any]]

_logger = Logger(service="coldpress")
_REQUEST_FIELDS: Final = frozenset({"verb", "request_id", "who"})
"""Fields of every request that are not fields of its verb."""


class SyncJob:
    """Handler of one environment. Construction reads neither the store nor the bucket."""

    def __init__(self, settings: JobSettings, client: Any) -> None:
        self._settings = settings
        self._client = client
        self._verbs: dict[str, Verb] = {
            "publish": self._publish,
            "list": self._list,
            "publish-packages": self._publish_packages,
            "list-packages": self._list_packages,
        }

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer a request or the probe, or publish for a queue's messages."""
        if event.get("coldpress") == "probe":
            return self.probe()
        if "Records" in event:
            processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)
            return dict(
                process_partial_response(dict(event), self._publish_arrivals, processor, context)
            )
        try:
            return {"state": "done", **self._verb(event)(event, context)}
        except ToBeContinued as paused:
            return {"state": "continue", "resume": paused.resume}
        except (SyncError, StoreError, OSError) as error:
            _logger.exception("a request failed", request=event)
            return {"state": "failed", "error": {"code": code_of(error), "message": str(error)}}

    def probe(self) -> dict[str, Any]:
        """Return this environment's releases and settings, and the store's id and generations."""
        layout = StoreLayout(self._settings.store_path)
        facts: dict[str, Any] = {
            "coldpress": VERSION,
            "python": platform.python_version(),
            "onnxruntime": onnxruntime.__version__,
            "numpy": np.__version__,
            "runtime": RUNTIME,
            "target": Target.running().to_json(),
            "brings": installed_runtime(),
            "settings": self._settings.describe(),
            "store_ids": [],
            "generations": {},
        }
        try:
            facts["store_ids"] = [read_store_id(layout)]
            models = list_published(layout)["models"]
        except StoreError as error:
            return {**facts, "published": {"error": str(error)}}
        generations = {model["name"]: model["generation"] for model in models}
        return {**facts, "generations": generations, "published": sorted(generations)}

    def _verb(self, event: Mapping[str, Any]) -> Verb:
        verb = event.get("verb")
        if verb in OPERATIONS and verb not in ONLY_HERE:
            return self._operate
        if not isinstance(verb, str) or verb not in self._verbs:
            known = (*self._verbs, *sorted(OPERATIONS.keys() - ONLY_HERE))
            raise RequestError(f"unknown verb {verb!r}: expected {', '.join(known)}, {PROBE}")
        return self._verbs[verb]

    def _operate(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Run an operation of admin/operations.py."""
        store = MountedStore(
            layout=open_store(self._settings.store_path),
            progress=self._progress(request_id_of(event)),
            who=str(event.get("who") or publisher()),
            time_limit=_time_limit(context),
        )
        fields = {key: value for key, value in event.items() if key not in _REQUEST_FIELDS}
        return run_operation(event["verb"], store, fields)

    def _publish(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        request = PublishRequest.of_event(event)
        layout = open_store(self._settings.store_path)
        progress, time_limit = self._progress(request.request_id), _time_limit(context)
        if request.source.startswith(CONTENTS):
            uploaded = UploadedContents(self._client, self._settings.models_bucket, request.source)
            published = publish_uploaded(layout, uploaded, request, progress, time_limit)
        else:
            source = self._prefix(request.source)
            published = publish_prefix(layout, source, request, progress, time_limit)
        return published.to_json()

    def _list(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        return list_published(open_store(self._settings.store_path))

    def _publish_packages(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        progress = self._progress(request_id_of(event))
        uploaded = UploadedSet(self._client, self._settings.models_bucket, source_of(event))
        layout = open_store(self._settings.store_path)
        manifest, created = publish_uploaded_set(layout, uploaded, progress)
        return {**describe_packages(manifest), "created": created}

    def _list_packages(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        return list_sets(open_store(self._settings.store_path))

    def _publish_arrivals(self, record: SQSRecord, lambda_context: Any) -> None:
        """Publish each prefix whose `model.toml` has arrived, according to a message."""
        for arrival in arrivals_in(record.body):
            source = self._prefix(arrival.url)
            if arrival.state and source.state(RECIPE) != arrival.state:
                _logger.info(
                    "skipped: a newer model.toml has a message of its own", arrival=arrival
                )
                continue
            recipe = read_recipe(source, implied_name=arrival.prefix.rpartition("/")[2])
            layout = open_store(self._settings.store_path)
            if was_published(layout, recipe.name, arrival):
                _logger.info("skipped: this message was published before", arrival=arrival)
                continue
            request = PublishRequest(
                request_id=record.message_id, source=arrival.url, reason=arrival.reason
            )
            progress = self._progress(request.request_id)
            published = publish_prefix(
                layout, source, request, progress, _time_limit(lambda_context)
            )
            _logger.info("published", published=published.to_json())

    def _prefix(self, url: str) -> S3Source:
        return S3Source(self._client, *parse_s3_url(url))

    def _progress(self, request_id: str) -> ProgressObject:
        return ProgressObject(self._client, self._settings.models_bucket, request_id)


def _time_limit(context: Any) -> TimeLimit:
    """Return the time limit of an invocation."""
    return TimeLimit(context.get_remaining_time_in_millis)
