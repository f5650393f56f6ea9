"""The batch function in the real Lambda runtime, with a real S3 beside it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inference.fleet.environment import LambdaEnvironment
from inference.fleet.errors import InvocationError
from tests.batch.buckets import failed_messages, message, sqs_event
from tests.batch.models import lines_of, read_lines
from tests.batch.seaweed import CREDENTIALS, REGION

if TYPE_CHECKING:
    from tests.batch.buckets import Buckets

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="the Lambda runtime exists on Linux only"
)


def environ(store: Path, buckets: Buckets) -> dict[str, str]:
    return {
        "STORE_PATH": str(store),
        "BATCH_OUTPUT_BUCKET": buckets.outputs,
        "AWS_ENDPOINT_URL_S3": buckets.s3.meta.endpoint_url,
        "AWS_REGION": REGION,
        **CREDENTIALS,
    }


def test_the_function_answers_what_the_queue_brings(published: Path, buckets: Buckets) -> None:
    messages = [
        message(buckets.put("plus/a.jsonl", lines_of({"x": [1, 2]}, {})), number=1),
        message(buckets.put("unheard-of/a", b""), number=2),
        message(buckets.put("bytes/a b+ü.png", b"1234"), number=3),
    ]
    with LambdaEnvironment(
        "inference.batch.handler", environ=environ(published, buckets), cwd=ROOT, timeout_s=60
    ) as function:
        for _ in range(2):
            assert failed_messages(function.invoke(sqs_event(*messages))) == ["message-2"]
        assert function.invoke({"coldpress": "probe"})["generations"] == {"bytes": 1, "plus": 1}
    (line,) = read_lines(buckets.output("plus/1/a.jsonl.out"))
    assert line["answer"]["y"] == [11, 12]
    assert json.loads(buckets.output("bytes/1/a b+ü.png.out"))["size"] == 4


def test_a_wrong_setting_fails_the_start_and_is_named(published: Path, buckets: Buckets) -> None:
    wrong = environ(published, buckets) | {"BATCH_OUTPUT_BUCKET": "No"}
    with (
        LambdaEnvironment("inference.batch.handler", environ=wrong, cwd=ROOT) as function,
        pytest.raises(InvocationError, match="BATCH_OUTPUT_BUCKET is 'No'"),
    ):
        function.invoke({"coldpress": "probe"})
