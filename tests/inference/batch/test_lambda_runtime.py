"""The batch function in the real Lambda runtime, with a real S3 beside it."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from inference.local.fleet.environment import LambdaEnvironment
from inference.local.fleet.errors import InvocationError
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.inference.batch.buckets import failed_messages, sqs_event
from tests.inference.batch.models import lines_of, read_lines
from tests.support.events import message
from tests.support.packaged_models import write_greeter
from tests.support.places import ROOT
from tests.support.s3_server import CREDENTIALS, REGION
from tests.support.wheels import offer_wheels

if TYPE_CHECKING:
    from pathlib import Path

    from tests.inference.batch.buckets import Buckets


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


def test_the_function_answers_what_the_queue_brings(batch_models: Path, buckets: Buckets) -> None:
    messages = [
        message(buckets.put("plus/a.jsonl", lines_of({"x": [1, 2]}, {})), number=1),
        message(buckets.put("unheard-of/a", b""), number=2),
        message(buckets.put("bytes/a b+ü.png", b"1234"), number=3),
    ]
    with LambdaEnvironment(
        "inference.batch_function.handler",
        environ=environ(batch_models, buckets),
        cwd=ROOT,
        timeout_s=60,
    ) as function:
        for _ in range(2):
            assert failed_messages(function.invoke(sqs_event(*messages))) == ["message-2"]
        assert function.invoke({"coldpress": "probe"})["generations"] == {"bytes": 1, "plus": 1}
    (line,) = read_lines(buckets.output("plus/1/a.jsonl.out"))
    assert line["answer"]["y"] == [11, 12]
    assert json.loads(buckets.output("bytes/1/a b+ü.png.out"))["size"] == 4


def test_a_wrong_setting_fails_the_start_and_is_named(batch_models: Path, buckets: Buckets) -> None:
    wrong = environ(batch_models, buckets) | {"BATCH_OUTPUT_BUCKET": "No"}
    with (
        LambdaEnvironment("inference.batch_function.handler", environ=wrong, cwd=ROOT) as function,
        pytest.raises(InvocationError, match="BATCH_OUTPUT_BUCKET is 'No'"),
    ):
        function.invoke({"coldpress": "probe"})


def test_a_version_with_other_packages_fails_a_message_once_and_answers_when_it_comes_back(
    tmp_path: Path, buckets: Buckets, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels, store = tmp_path / "wheels", open_store(tmp_path / "store").root

    def publish_greeter(version: str) -> None:
        folder = write_greeter(tmp_path / version / "greeter", wheels, "greets", version=version)
        publish(folder, store, progress=Silent())

    settings = environ(store, buckets) | {"REF_TTL_S": "0"}
    with LambdaEnvironment(
        "inference.batch_function.handler", environ=settings, cwd=ROOT, timeout_s=60
    ) as function:
        offer_wheels(monkeypatch, wheels)
        event = sqs_event(message(buckets.put("greeter/a.bin", b"[1, 2]")))
        publish_greeter("1.0")
        assert failed_messages(function.invoke(event)) == []
        publish_greeter("2.0")
        before = function.pids()
        assert len(failed_messages(function.invoke(event))) == 1
        assert failed_messages(function.invoke(event)) == []
        assert function.pids() == before
    assert buckets.output("greeter/2/a.bin.out") == b"greets 2.0"
