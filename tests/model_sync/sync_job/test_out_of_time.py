"""Whatever the sync function prepares, it ends that before its own time is up, and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from model_sync.time_limit import MARGIN_MS
from tests.model_sync.sync_job.buckets import Bucket, arrived, write_model
from tests.model_sync.sync_job.invocations import refused, request, staged

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Call = Callable[..., dict[str, Any]]

WHAT: Final = (
    "the trial of the model did not end in the 0 s that were left of the invocation: raise"
)


def no_time() -> float:
    """Enough to copy what is small, and none to try it."""
    return MARGIN_MS


def test_uploaded_contents_wait_for_a_whole_invocation_and_then_fail(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    key, _ = bucket.upload(write_model(tmp_path / "adder"))
    paused = call(request(key), no_time)
    assert paused["state"] == "continue"
    refused(call(request(key, resume=paused["resume"]), no_time), "time", WHAT)
    assert staged(tmp_path) == []


def test_a_prefix_fails(call: Call, bucket: Bucket, tmp_path: Path) -> None:
    url = bucket.put_folder(write_model(tmp_path / "adder"), "adder")
    refused(call(request(url), no_time), "time", WHAT)
    assert staged(tmp_path) == []


def test_a_message_goes_back_to_the_queue(call: Call, versioned: Bucket, tmp_path: Path) -> None:
    versioned.put_folder(write_model(tmp_path / "adder"), "adder")
    event = {"Records": [arrived(versioned, "adder/model.toml")]}
    assert call(event, no_time) == {"batchItemFailures": [{"itemIdentifier": "message-1"}]}
    assert call(event) == {"batchItemFailures": []}


def test_a_version_that_is_prepared_again_is_named(
    call: Call, bucket: Bucket, tmp_path: Path
) -> None:
    call(request(bucket.put_folder(write_model(tmp_path / "adder"), "adder")))
    asked = {"verb": "prepare", "request_id": "r-2", "model": "adder", "again": True}
    refused(call(asked, no_time), "time", f"version 1 of 'adder': {WHAT}")
    assert call(asked)["state"] == "done"
