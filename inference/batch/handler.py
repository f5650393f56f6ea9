"""Answer the queue's messages: each names objects in S3; the outputs go to another bucket.

A message that is done leaves the queue. A message that fails is named in `batchItemFailures`: SQS
delivers it again after the visibility timeout, and after its last try moves it to the dead-letter
queue.

| case | the message |
|---|---|
| every record answered, or failed and in `.errors.jsonl` | done |
| the object was deleted or replaced; a folder's placeholder object (its key ends with `/`) | done |
| S3's test event | done |
| an unknown model; a key without a model; not an S3 event; an event of the output bucket | fails |
| store or S3 unreachable, a version that does not load, too little time left | fails |

One invocation answers its messages one after the other, in one thread. Not here: the entry point
(batch_function.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)

from inference.batch.errors import EventError, ObjectGoneError, OutOfTimeError
from inference.batch.keys import split_key
from inference.batch.run import run_object
from inference.batch.s3_events import objects_in
from inference.batch.s3_storage import S3Input, S3Outputs
from inference.batch.versions import final_loader, load_latest
from inference.errors import ServingError
from inference.serving.manager import Manager
from inference.telemetry import count_batch, logger
from model_store.layout import StoreLayout

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

    from inference.batch.s3_events import S3Object
    from inference.batch.s3_storage import S3Client
    from inference.batch.settings import BatchSettings

MARGIN_MS: Final = 10_000
"""Milliseconds kept for cleaning up: with less than this left, no further record is begun."""


class BatchHandler:
    """The handler of one environment. Construction reads neither the store nor a bucket."""

    def __init__(self, settings: BatchSettings, client: S3Client) -> None:
        self._settings = settings
        self._client = client
        self._outputs = S3Outputs(client, settings.output_bucket)
        self._manager = Manager(
            StoreLayout(settings.serving.store_path),
            ref_ttl_s=settings.serving.ref_ttl_s,
            load=final_loader(settings.serving),
            max_staleness_s=0.0,  # no older version may answer
        )
        self.due = self._manager.due
        self.answered = self._manager.answered

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer an SQS event or the probe; raises ValueError for another event."""
        if event.get("coldpress") == "probe":
            from inference.serving.probe import answer_probe  # noqa: PLC0415 - no message needs it

            return answer_probe(self._manager, self._settings.describe())
        records = event.get("Records") or [{}]
        if any(record.get("eventSource") != "aws:sqs" for record in records):
            raise ValueError("this function answers SQS events that hold S3's, and the probe")
        # The answer names every failed message, also when all of them fail.
        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

        def answer(record: SQSRecord) -> None:
            self._answer_message(record, context)

        return dict(process_partial_response(dict(event), answer, processor, context))

    def _answer_message(self, record: SQSRecord, context: Any) -> None:
        """Answer every object of a message, even after a failure; then raise the first failure."""
        failures: list[Exception] = []
        try:
            for s3_object in objects_in(record.body):
                try:
                    self._answer_object(s3_object, context)
                except Exception as error:
                    failures.append(error)
                    _report_failure(record, s3_object.key, error)
        except EventError as error:
            _report_failure(record, None, error)
            raise
        if failures:
            raise failures[0]

    def _answer_object(self, s3_object: S3Object, context: Any) -> None:
        if s3_object.bucket == self._settings.output_bucket:
            raise EventError(
                f"s3://{s3_object.bucket}/{s3_object.key} is an output: the bucket of "
                "BATCH_OUTPUT_BUCKET must not send events here"
            )
        _check_time(context, 0)
        model, _ = split_key(s3_object.key)
        if s3_object.key.endswith("/"):
            logger.info("a folder's own mark is no input", key=s3_object.key)
            return
        try:
            source = S3Input(self._client, s3_object)
            loaded = load_latest(self._manager, model)
            result = run_object(
                loaded,
                source,
                self._outputs,
                before_record=lambda records: _check_time(context, records),
            )
        except ObjectGoneError as error:
            logger.warning("nothing is left to be done", key=s3_object.key, reason=str(error))
            return
        logger.info(
            "an object is done",
            key=s3_object.key,
            model=model,
            version=loaded.number,
            answered=result.answered,
            failed=result.failed,
            duration_ms=round(result.total_ms, 1),
        )
        count_batch(model, result.answered, result.failed, result.total_ms)


def _check_time(context: Any, records: int) -> None:
    left_ms = context.get_remaining_time_in_millis()
    if left_ms < MARGIN_MS:
        raise OutOfTimeError(
            f"{left_ms} ms of the invocation are left after {records} records, and {MARGIN_MS} are "
            "kept for its end: raise the function's timeout, or split the object"
        )


def _report_failure(record: SQSRecord, key: str | None, error: Exception) -> None:
    logger.error(
        "a message failed",
        message_id=record.message_id,
        receive_count=record.attributes.approximate_receive_count,
        key=key,
        reason=str(error),
        # An expected error is explained by its message, an unexpected one only by its traceback.
        exc_info=None if isinstance(error, ServingError) else error,
    )
