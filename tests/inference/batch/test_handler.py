"""The batch function's handler over a real store and a real S3: what becomes of each message."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from inference.batch.handler import MARGIN_MS
from inference.batch.s3_storage import PART_BYTES
from tests.inference.batch.buckets import Context, failed_messages, handler_of, sqs_event
from tests.inference.batch.models import (
    ADDER,
    BYTES,
    PLUS,
    add_up,
    lines_of,
    publish_model,
    read_lines,
)
from tests.inference.batch.network import closed_port, throttling_s3
from tests.support.events import event_file, message
from tests.support.s3_server import client

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.batch.handler import BatchHandler
    from tests.inference.batch.buckets import Buckets

pytestmark = pytest.mark.store_of("batch_models")


def answer(handler: BatchHandler, *messages: dict[str, Any], left_ms: int = 900_000) -> list[str]:
    """Hand messages to the handler; returns those that go back to the queue."""
    return failed_messages(handler(sqs_event(*messages), Context(left_ms)))


def test_an_object_is_answered_into_the_output_bucket(
    handler: BatchHandler, buckets: Buckets
) -> None:
    record = buckets.put("plus/2026/grüße an alle/1+1.json", b'{"x": [1, 2]}')
    assert answer(handler, message(record)) == []
    stem = "plus/1/2026/grüße an alle/1+1.json"
    assert buckets.output_keys() == [f"{stem}.out", f"{stem}.summary.json"]
    assert json.loads(buckets.output(f"{stem}.out"))["y"] == [11, 12]
    summary = json.loads(buckets.output(f"{stem}.summary.json"))
    assert summary["input"] == {
        "bucket": buckets.inputs,
        "key": "plus/2026/grüße an alle/1+1.json",
        "size_bytes": 13,
        "etag": record["s3"]["object"]["eTag"],
    }


def test_an_objects_records_are_counted_in_metrics(
    handler: BatchHandler, buckets: Buckets, capsys: pytest.CaptureFixture[str]
) -> None:
    record = buckets.put("adder/a.jsonl", lines_of(add_up(1, 2), {}, add_up(3, 4)))
    assert answer(handler, message(record)) == []
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (counted,) = [line for line in lines if "BatchRecords" in line]
    assert counted["model"] == "adder"
    assert (counted["BatchRecords"], counted["BatchRecordErrors"]) == ([3], [1])
    assert counted["BatchDuration"][0] > 0


def test_json_lines_are_answered_line_by_line(handler: BatchHandler, buckets: Buckets) -> None:
    record = buckets.put("adder/a.jsonl", lines_of(add_up(1, 2), {}, add_up(3, 4)))
    assert answer(handler, message(record)) == []
    found = read_lines(buckets.output("adder/1/a.jsonl.out"))
    assert [(line["record"], line["answer"]["outputs"][0]["data"]) for line in found] == [
        (1, [11, 12]),
        (3, [13, 14]),
    ]
    errors = read_lines(buckets.output("adder/1/a.jsonl.errors.jsonl"))
    assert errors == [{"record": 2, "reason": "'inputs' is missing or not a list"}]


def test_the_object_of_the_events_version_is_answered(
    batch_models: Path, versioned: Buckets
) -> None:
    record = versioned.put("bytes/a", b"12")
    assert answer(handler_of(batch_models, versioned), message(record)) == []
    assert json.loads(versioned.output("bytes/1/a.out"))["size"] == 2
    summary = json.loads(versioned.output("bytes/1/a.summary.json"))
    assert summary["input"]["version_id"] == record["s3"]["object"]["versionId"]


def test_every_record_of_a_message_is_answered(handler: BatchHandler, buckets: Buckets) -> None:
    records = [buckets.put(f"bytes/{name}", b"") for name in "abc"]
    assert answer(handler, message(*records)) == []
    outputs = [key for key in buckets.output_keys() if key.endswith(".out")]
    assert outputs == ["bytes/1/a.out", "bytes/1/b.out", "bytes/1/c.out"]


def test_the_same_event_twice_gives_the_same_bytes(
    batch_models: Path, handler: BatchHandler, buckets: Buckets
) -> None:
    event = sqs_event(
        message(buckets.put("plus/a.jsonl", lines_of({"x": [0.1, 1e30]}, {}, {"x": [1, 2]}))),
        message(buckets.put("plus/b.json", b'{"x": [1, 2]}'), number=2),
        message(buckets.put("plus/c.json", b"{}"), number=3),
    )
    assert failed_messages(handler(event, Context())) == []
    before = buckets.everything()
    assert len(before) == 7
    assert failed_messages(handler(event, Context())) == []
    assert buckets.everything() == before
    assert failed_messages(handler_of(batch_models, buckets)(event, Context())) == []
    assert buckets.everything() == before


def test_a_large_output_comes_whole_and_the_same_twice(
    handler: BatchHandler, buckets: Buckets
) -> None:
    long = {"x": [1, 2], "form": "echo", "text": "x" * 1_000_000}
    record = buckets.put("plus/a.jsonl", lines_of(*[long] * 9))
    assert answer(handler, message(record)) == []
    before = buckets.output("plus/1/a.jsonl.out")
    assert len(before) > PART_BYTES
    assert [line["answer"] for line in read_lines(before)] == [long] * 9
    assert answer(handler, message(record)) == []
    assert buckets.output("plus/1/a.jsonl.out") == before
    assert buckets.unfinished_uploads() == []


def test_an_object_at_fault_is_done_and_says_so_in_its_errors(
    handler: BatchHandler, buckets: Buckets
) -> None:
    assert answer(handler, message(buckets.put("plus/a", b"no JSON"))) == []
    assert buckets.output_keys() == ["plus/1/a.errors.jsonl", "plus/1/a.summary.json"]


def test_the_test_event_of_s3_is_done(handler: BatchHandler, buckets: Buckets) -> None:
    assert failed_messages(handler(event_file("sqs_s3_test_event"), Context())) == []
    assert buckets.output_keys() == []


def test_a_folders_own_mark_is_done(handler: BatchHandler, buckets: Buckets) -> None:
    record = buckets.put("bytes/a folder/", b"")
    assert answer(handler, message(record)) == []
    assert buckets.output_keys() == []


def deleted(buckets: Buckets) -> dict[str, Any]:
    record = buckets.put("bytes/a", b"old")
    buckets.s3.delete_object(Bucket=buckets.inputs, Key="bytes/a")
    return record


def replaced(buckets: Buckets) -> dict[str, Any]:
    record = buckets.put("bytes/a", b"old")
    buckets.put("bytes/a", b"newer")
    return record


@pytest.mark.parametrize("happens", [deleted, replaced])
def test_an_object_that_is_no_longer_there_is_done_and_logged(
    handler: BatchHandler,
    buckets: Buckets,
    happens: Callable[[Buckets], dict[str, Any]],
    logged: list[dict[str, Any]],
) -> None:
    assert answer(handler, message(happens(buckets))) == []
    assert buckets.output_keys() == []
    (line,) = logged
    assert line["level"] == "WARNING"
    assert line["key"] == "bytes/a"


def test_an_old_event_that_comes_late_does_not_undo_a_newer_one(
    handler: BatchHandler, buckets: Buckets
) -> None:
    old = buckets.put("bytes/a", b"old")
    new = buckets.put("bytes/a", b"newer")
    assert answer(handler, message(new), message(old, number=2)) == []
    assert json.loads(buckets.output("bytes/1/a.out"))["size"] == 5


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("unheard-of/a.png", "no model is named 'unheard-of'"),
        ("a.png", "names no model"),
        ("Magika/a.png", "names no model"),
        ("bytes/" + "folder/" * 143 + "object", "too long"),
    ],
)
def test_a_key_that_cannot_be_answered_fails_until_the_queue_gives_up(
    handler: BatchHandler,
    buckets: Buckets,
    logged: list[dict[str, Any]],
    key: str,
    reason: str,
) -> None:
    assert answer(handler, message(buckets.put(key, b""))) == ["message-1"]
    (line,) = [line for line in logged if line["level"] == "ERROR"]
    assert reason in line["reason"]
    assert line["message_id"] == "message-1"
    assert line["receive_count"] == "1"
    assert line["key"] == key
    assert "exception" not in line
    assert buckets.output_keys() == []


@pytest.mark.parametrize("body", ["", "{}", json.dumps(event_file("s3_object_removed"))])
def test_a_message_that_is_no_event_of_a_new_object_fails_and_is_logged(
    handler: BatchHandler, logged: list[dict[str, Any]], body: str
) -> None:
    assert answer(handler, message(body=body)) == ["message-1"]
    assert [line["message"] for line in logged] == ["a message failed"]


def test_an_event_of_the_output_bucket_fails_so_that_outputs_never_become_inputs(
    handler: BatchHandler, buckets: Buckets, logged: list[dict[str, Any]]
) -> None:
    buckets.s3.put_object(Bucket=buckets.outputs, Key="bytes/a", Body=b"")
    record = buckets.record("bytes/a")
    record["s3"]["bucket"]["name"] = buckets.outputs
    assert answer(handler, message(record)) == ["message-1"]
    assert buckets.output_keys() == ["bytes/a"]
    assert "BATCH_OUTPUT_BUCKET" in logged[-1]["reason"]


def test_only_the_messages_that_failed_go_back(handler: BatchHandler, buckets: Buckets) -> None:
    messages = [
        message(buckets.put("unheard-of/a", b""), number=1),
        message(buckets.put("bytes/a", b""), number=2),
        message(body="no", number=3),
        message(buckets.put("bytes/b", b""), number=4),
    ]
    assert answer(handler, *messages) == ["message-1", "message-3"]
    outputs = [key for key in buckets.output_keys() if key.endswith(".out")]
    assert outputs == ["bytes/1/a.out", "bytes/1/b.out"]


def test_an_object_that_fails_does_not_keep_its_message_from_the_others(
    handler: BatchHandler, buckets: Buckets
) -> None:
    records = [buckets.put(f"{model}/a", b"") for model in ("unheard-of", "bytes")]
    assert answer(handler, message(*records)) == ["message-1"]
    assert "bytes/1/a.out" in buckets.output_keys()


def test_a_message_of_an_empty_store_fails_and_is_answered_once_the_store_is_there(
    tmp_path: Path, batch_models: Path, buckets: Buckets
) -> None:
    store = tmp_path / "mount"
    handler = handler_of(store, buckets)
    delivered = message(buckets.put("bytes/a", b""))
    assert answer(handler, delivered) == ["message-1"]
    shutil.copytree(batch_models, store)
    assert answer(handler, delivered) == []
    assert "bytes/1/a.out" in buckets.output_keys()


def test_a_version_that_does_not_load_fails_the_message(
    store: Path, buckets: Buckets, logged: list[dict[str, Any]]
) -> None:
    (graph,) = (store / "models" / BYTES / "versions").glob("*/source/model.onnx")
    graph.write_bytes(b"damaged")
    assert answer(handler_of(store, buckets), message(buckets.put("bytes/a", b""))) == ["message-1"]
    assert buckets.output_keys() == []
    assert "damaged" in logged[-1]["reason"]


def test_an_s3_that_throttles_or_is_not_there_fails_the_message(
    batch_models: Path, buckets: Buckets
) -> None:
    delivered = message(buckets.put("bytes/a", b""))
    with throttling_s3() as throttling, closed_port() as closed:
        for each in (throttling, closed):
            away = type(buckets)(client(each, attempts=1), buckets.inputs, buckets.outputs)
            assert answer(handler_of(batch_models, away), delivered) == ["message-1"]
    assert answer(handler_of(batch_models, buckets), delivered) == []


def test_what_nobody_foresaw_fails_its_message_alone_and_is_logged_with_its_cause(
    handler: BatchHandler,
    buckets: Buckets,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[dict[str, Any]],
) -> None:
    first, second = buckets.put("bytes/a", b""), buckets.put("bytes/b", b"")
    put_object = buckets.s3.put_object

    def unforeseen(**kwargs: Any) -> Any:
        if kwargs["Key"].startswith("bytes/1/a"):
            raise ZeroDivisionError("unforeseen")
        return put_object(**kwargs)

    monkeypatch.setattr(buckets.s3, "put_object", unforeseen)
    assert answer(handler, message(first), message(second, number=2)) == ["message-1"]
    assert "bytes/1/b.out" in buckets.output_keys()
    (line,) = [line for line in logged if line["level"] == "ERROR"]
    assert "ZeroDivisionError" in line["exception"]


def test_no_object_is_begun_when_the_time_is_short(
    handler: BatchHandler, buckets: Buckets, logged: list[dict[str, Any]]
) -> None:
    messages = [message(buckets.put(f"bytes/{n}", b""), number=n) for n in (1, 2)]
    failed = answer(handler, *messages, left_ms=MARGIN_MS - 1)
    assert failed == ["message-1", "message-2"]
    assert buckets.output_keys() == []
    assert logged[0]["reason"] == (
        "9999 ms of the invocation are left after 0 records, and 10000 are kept for its end: raise "
        "the function's timeout, or split the object"
    )
    assert answer(handler, *messages, left_ms=MARGIN_MS) == []


class RunningOut:
    """A context whose time falls below the margin after a number of questions."""

    def __init__(self, answers: int) -> None:
        self._answers = answers

    def get_remaining_time_in_millis(self) -> int:
        self._answers -= 1
        return MARGIN_MS if self._answers >= 0 else MARGIN_MS - 1


def test_when_the_time_runs_out_the_message_fails_and_no_part_of_an_output_is_left(
    handler: BatchHandler, buckets: Buckets, logged: list[dict[str, Any]]
) -> None:
    long = {"x": [1, 2], "form": "echo", "text": "x" * PART_BYTES}
    record = buckets.put("plus/a.jsonl", lines_of({"x": [1, 2]}, long, {"x": [1, 2]}))
    # Asked once before the object, once before each record.
    assert failed_messages(handler(sqs_event(message(record)), RunningOut(3))) == ["message-1"]
    assert "after 2 records" in logged[-1]["reason"]
    assert buckets.output_keys() == []
    assert buckets.unfinished_uploads() == []
    assert failed_messages(handler(sqs_event(message(record)), RunningOut(4))) == []


def test_a_batch_is_answered_by_the_newest_version_although_an_older_one_is_warm(
    store: Path, buckets: Buckets
) -> None:
    handler = handler_of(store, buckets)
    record = buckets.put("plus/a", b'{"x": [1, 2]}')
    assert answer(handler, message(record)) == []
    publish_model(store, PLUS, 20.0)
    assert answer(handler, message(record)) == []
    assert json.loads(buckets.output("plus/1/a.out"))["y"] == [11, 12]
    assert json.loads(buckets.output("plus/2/a.out"))["y"] == [21, 22]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": []},
        event_file("s3_object_created"),
        event_file("http_api_get"),
        event_file("scheduled"),
    ],
)
def test_an_event_that_is_not_the_queues_is_refused(
    handler: BatchHandler, event: dict[str, Any]
) -> None:
    with pytest.raises(ValueError, match="SQS events"):
        handler(event, Context())


def test_the_probe_says_what_the_environment_is_and_sees(
    handler: BatchHandler, buckets: Buckets
) -> None:
    answer(handler, message(buckets.put("bytes/a", b"")))
    found = handler(event_file("probe"), Context())
    assert found["generations"] == {"bytes": 1}
    assert len(found["store_ids"]) == 1
    assert found["published"] == sorted([ADDER, PLUS, BYTES])
    assert found["settings"]["batch_output_bucket"] == buckets.outputs
    environment = found["environment"]
    assert environment["budget_bytes"] is None
    assert environment["used_bytes"] >= environment["models"]["bytes"]["warm"][1] > 0
    json.dumps(found)
