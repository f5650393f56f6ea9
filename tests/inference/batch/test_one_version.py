"""One version answers an object, even if another version is published during the run."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.inference.batch.buckets import Context, failed_messages, handler_of, sqs_event
from tests.inference.batch.models import PLUS, lines_of, publish_model, read_lines
from tests.support.events import message
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.inference.batch.buckets import Buckets

pytestmark = pytest.mark.store_of("batch_models")

DEADLINE_S = 60.0


def test_a_version_published_in_the_middle_of_an_object_does_not_answer_its_end(
    store: Path, buckets: Buckets, tmp_path: Path
) -> None:
    reached, go = tmp_path / "reached", tmp_path / "go"
    record, held = {"x": [1, 2]}, {"x": [1, 2], "tell": str(reached), "wait_for": str(go)}
    handler = handler_of(store, buckets)
    event = sqs_event(message(buckets.put("plus/a.jsonl", lines_of(record, held, record))))
    with ThreadPoolExecutor(1) as pool:
        try:
            running = pool.submit(handler, event, Context())
            wait_until(reached.exists)
            assert publish_model(store, PLUS, 20.0) == 2
            # The new version answers another object in the same environment during the run.
            other = sqs_event(message(buckets.put("plus/b.json", b'{"x": [1, 2]}')))
            assert failed_messages(handler(other, Context())) == []
        finally:
            go.touch()
        assert failed_messages(running.result(DEADLINE_S)) == []
    found = read_lines(buckets.output("plus/1/a.jsonl.out"))
    assert [line["answer"]["y"] for line in found] == [[11, 12]] * 3
    assert json.loads(buckets.output("plus/2/b.json.out"))["y"] == [21, 22]
    assert not [key for key in buckets.output_keys() if key.startswith("plus/2/a")]
