"""The sync function publishes what it is asked for, and says what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.sources.s3 import PART_BYTES
from model_sync.sources.uploaded import BLOBS
from tests.model_sync.sync_job.buckets import Bucket, arrived, write_model
from tests.model_sync.sync_job.invocations import request
from tests.support.events import event_file
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[[dict[str, Any]], Any]


def models(call: Call) -> list[str]:
    return [model["name"] for model in call({"verb": "list"})["models"]]


def test_publishing_a_prefix_equals_publishing_the_folder(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    local = publish(folder, tmp_path / "local", progress=Silent())
    done = call(request(bucket.put_folder(folder, "team/adder"), label="canary", model=None))
    assert done == {
        "state": "done",
        "model": "adder",
        "version": 1,
        "digest": local.digest,
        "created": True,
        "changed": True,
        "labels": done["labels"],
        "generation": 1,
        "variant": "plain",
    }
    assert "canary" in done["labels"]
    assert json.loads(bucket.get(".jobs/r-1.json"))["step"].startswith("trying it")


def test_data_of_several_parts_arrive_whole(call: Call, bucket: Bucket, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "adder", width=(PART_BYTES + 4096) // 4)
    local = publish(folder, tmp_path / "local", progress=Silent())
    done = call(request(bucket.put_folder(folder, "adder")))
    assert (done["state"], done["digest"]) == ("done", local.digest)


def test_publishing_uploads_equals_publishing_the_folder_and_again_copies_nothing(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    local = publish(folder, tmp_path / "local", progress=Silent())
    key, _ = bucket.upload(folder)
    done = call(request(key))
    assert (done["digest"], done["created"]) == (local.digest, True)
    for blob in bucket.keys(BLOBS):
        bucket.s3.delete_object(Bucket=bucket.name, Key=blob)
    before = snapshot(tmp_path / "store" / "models")
    again = call(request(key))
    assert again == {**done, "created": False, "changed": False}, (
        "without the blobs: none of them is read"
    )
    assert snapshot(tmp_path / "store" / "models") == before


def test_a_damaged_blob_fails_and_changes_nothing_visible(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    key, _ = bucket.upload(write_model(tmp_path / "adder"))
    for blob in bucket.keys(BLOBS):
        bucket.put(blob, bytes(len(bucket.get(blob))))
    failed = call(request(key))
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == "source"
    assert failed["error"]["message"].startswith(f"s3://{bucket.name}/{key}: the bytes of ")
    assert models(call) == []
    assert not list((tmp_path / "store" / "staging").iterdir())


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        ({"verb": "drop"}, "request", "unknown verb 'drop': expected publish, list,"),
        ({}, "request", "unknown verb None: expected publish, list,"),
        (request("s3://b-1/a/", request_id="../x"), "request", "request_id '../x' is not 1 to 64"),
        (request("s3://b-1/a/", request_id="x" * 65), "request", "request_id 'xxx"),
        (request("elsewhere"), "source", "'elsewhere' is no S3 address"),
        (request("s3://no-such-bucket/a/"), "source", "s3://no-such-bucket/a"),
        (request(f"contents/{'0' * 64}.json"), "source", "s3://"),
    ],
)
def test_what_cannot_be_done_fails_in_one_line(
    call: Call, event: dict[str, Any], code: str, message: str
) -> None:
    failed = call(event)
    assert set(failed) == {"state", "error"}
    assert failed["state"] == "failed"
    assert failed["error"]["code"] == code
    assert failed["error"]["message"].startswith(message)
    assert "\n" not in failed["error"]["message"]


def test_a_prefix_with_nothing_below_it_is_named(call: Call, bucket: Bucket) -> None:
    failed = call(request(f"s3://{bucket.name}/adder/"))
    assert failed["error"] == {
        "code": "recipe",
        "message": f"s3://{bucket.name}/adder holds no .onnx file: "
        "name the model in model.toml, under [model] file",
    }


def test_a_wrong_golden_answer_fails_and_changes_nothing_visible(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    folder = write_model(tmp_path / "adder")
    write_model(tmp_path / "other", constant=2.0)
    (tmp_path / "other" / "constants.bin").replace(folder / "constants.bin")
    failed = call(request(bucket.put_folder(folder, "adder")))
    assert (failed["state"], failed["error"]["code"]) == ("failed", "trial")
    assert models(call) == []


def test_progress_that_cannot_be_told_fails_the_request_in_one_line(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    source = bucket.put_folder(write_model(tmp_path / "adder"), "adder")

    def refuse(params: dict[str, Any], **_: Any) -> None:
        params["Bucket"] = "no bucket's name"

    events = bucket.s3.meta.events
    events.register("provide-client-params.s3.PutObject", refuse)
    try:
        failed = call(request(source))
    finally:
        events.unregister("provide-client-params.s3.PutObject", refuse)
    assert failed["state"] == "failed"
    assert ".jobs/r-1.json" in failed["error"]["message"]


def test_a_recipe_that_arrives_publishes_its_prefix_and_nothing_else_does(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put_folder(write_model(tmp_path / "adder"), "a team+/adder")
    others = [
        arrived(bucket, "a team+/adder/model.onnx"),
        arrived(bucket, "model.toml"),
        event_file("sqs_s3_test_event")["Records"][0],
    ]
    assert call({"Records": others}) == {"batchItemFailures": []}
    assert models(call) == []
    message = arrived(bucket, "a team+/adder/model.toml")
    assert call({"Records": [message]}) == {"batchItemFailures": []}
    assert models(call) == ["adder"]
    assert bucket.keys(".jobs/") == [".jobs/message-1.json"]


def test_a_record_that_fails_goes_back_to_the_queue_alone(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put_folder(write_model(tmp_path / "adder"), "adder")
    bucket.put("empty/model.toml", b"")
    messages = [
        arrived(bucket, "empty/model.toml", number=1),
        arrived(bucket, "adder/model.toml", number=2),
    ]
    assert call({"Records": messages}) == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert models(call) == ["adder"]


def latest(call: Call) -> int:
    (model,) = call({"verb": "list"})["models"]
    found: int = model["labels"]["latest"]
    return found


def test_a_message_that_comes_again_takes_nothing_back(
    call: Call, versioned: Bucket, tmp_path: Path
) -> None:
    versioned.put_folder(write_model(tmp_path / "adder"), "adder")
    message = arrived(versioned, "adder/model.toml")
    assert call({"Records": [message]}) == {"batchItemFailures": []}
    publish(write_model(tmp_path / "adder", constant=5.0), tmp_path / "store", progress=Silent())
    assert latest(call) == 2
    assert call({"Records": [message]}) == {"batchItemFailures": []}
    assert latest(call) == 2, "by the same message it was published once"
    versioned.put_folder(tmp_path / "adder", "adder")
    assert call({"Records": [arrived(versioned, "adder/model.toml")]}) == {"batchItemFailures": []}
    versioned.put_folder(write_model(tmp_path / "adder", constant=7.0), "adder")
    assert call({"Records": [arrived(versioned, "adder/model.toml")]}) == {"batchItemFailures": []}
    assert latest(call) == 3


def test_a_message_about_an_object_that_was_replaced_is_passed_over(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put_folder(write_model(tmp_path / "adder"), "adder")
    message = arrived(bucket, "adder/model.toml")
    bucket.put("adder/model.toml", bucket.get("adder/model.toml") + b"\n")
    assert call({"Records": [message]}) == {"batchItemFailures": []}
    assert models(call) == []


def test_a_key_with_an_empty_part_publishes_no_other_prefix(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    bucket.put_folder(write_model(tmp_path / "adder"), "adder")
    bucket.put("adder//model.toml", b"name = 'other'\n")
    message = arrived(bucket, "adder//model.toml")
    assert call({"Records": [message]}) == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert models(call) == []


def test_a_lone_record_that_fails_goes_back_to_the_queue(call: Call, bucket: Bucket) -> None:
    message = arrived(bucket, "gone/model.toml")
    assert call({"Records": [message]}) == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}


@pytest.mark.parametrize("missing", ["STORE_PATH", "MODELS_BUCKET"])
def test_a_setting_that_is_missing_ends_the_start_by_its_name(missing: str) -> None:
    environ = {**os.environ, "STORE_PATH": "/store", "MODELS_BUCKET": "models"}
    del environ[missing]
    done = subprocess.run(
        [sys.executable, "-c", "import model_sync.sync_function"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode
    assert done.stderr.splitlines()[-1].endswith(
        f"{missing} is not set: the sync function needs it"
    )
