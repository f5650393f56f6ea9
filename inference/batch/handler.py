"""Answers the queue's messages: each names objects in S3, whose outputs go to another bucket.

A message that is done leaves the queue. One that failed is named in `batchItemFailures`, comes
back after the queue's visibility timeout, and after the queue's last try goes to its dead-letter
queue. So:

| what | the message |
|---|---|
| every record answered, or at fault and in `.errors.jsonl` | done |
| the object was deleted or replaced since; a folder's own mark (a key that ends with `/`) | done |
| S3's test event | done |
| no such model; a key that names none; no S3 event at all; an event of the output bucket | fails |
| the store or S3 out of reach, a version that does not load, too little time left | fails |

One invocation goes through its messages one by one, in one thread. `handler` itself: batch_function.py.
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
from inference.batch.versions import final_loader, newest
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
"""The time that is kept for leaving nothing behind: no record is begun with less than this."""


class BatchHandler:
    """One environment's handler. Construction reads nothing."""

    def __init__(self, settings: BatchSettings, client: S3Client) -> None:
        self._settings = settings
        self._client = client
        self._outputs = S3Outputs(client, settings.output_bucket)
        self._manager = Manager(
            StoreLayout(settings.serving.store_path),
            ref_ttl_s=settings.serving.ref_ttl_s,
            load=final_loader(settings.serving),
            max_staleness_s=0.0,  # the newest answers, or nothing does
        )
        self.due = self._manager.due
        self.answered = self._manager.answered

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer an SQS event, or the probe; raises ValueError for anything else."""
        if event.get("coldpress") == "probe":
            from inference.serving.probe import answer_probe  # noqa: PLC0415 - no message needs it

            return answer_probe(self._manager, self._settings.describe())
        records = event.get("Records") or [{}]
        if any(record.get("eventSource") != "aws:sqs" for record in records):
            raise ValueError("this function answers SQS events that hold S3's, and the probe")
        # Raising where all fail would hide which did, and say nothing that the answer does not.
        processor = BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False)

        def answer(record: SQSRecord) -> None:
            self._answer_message(record, context)

        return dict(process_partial_response(dict(event), answer, processor, context))

    def _answer_message(self, record: SQSRecord, context: Any) -> None:
        """Answer every object of a message, also after one that failed; raise the first failure."""
        failures: list[Exception] = []
        try:
            for named in objects_in(record.body):
                try:
                    self._answer_object(named, context)
                except Exception as error:
                    failures.append(error)
                    _report_failure(record, named.key, error)
        except EventError as error:
            _report_failure(record, None, error)
            raise
        if failures:
            raise failures[0]

    def _answer_object(self, named: S3Object, context: Any) -> None:
        if named.bucket == self._settings.output_bucket:
            raise EventError(
                f"s3://{named.bucket}/{named.key} is an output: the bucket of BATCH_OUTPUT_BUCKET "
                "must not send events here"
            )
        _check_time(context, 0)
        model, _ = split_key(named.key)
        if named.key.endswith("/"):
            logger.info("a folder's own mark is no input", key=named.key)
            return
        try:
            source = S3Input(self._client, named)
            loaded = newest(self._manager, model)
            done = run_object(
                loaded,
                source,
                self._outputs,
                before_record=lambda records: _check_time(context, records),
            )
        except ObjectGoneError as error:
            logger.warning("nothing is left to be done", key=named.key, reason=str(error))
            return
        logger.info(
            "an object is done",
            key=named.key,
            model=model,
            version=loaded.number,
            answered=done.answered,
            failed=done.failed,
            duration_ms=round(done.total_ms, 1),
        )
        count_batch(model, done.answered, done.failed, done.total_ms)


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
        # What is foreseen needs no traceback; what is not has nothing else.
        exc_info=None if isinstance(error, ServingError) else error,
    )
