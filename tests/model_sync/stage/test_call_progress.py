"""Progress of a call is reported during the call; unreadable progress does not disturb it."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from model_sync.stage import call_progress
from model_sync.stage.call_progress import call_with_progress
from model_sync.stage.client import StageStore
from model_sync.store_client import PublishOptions
from model_sync.sync_job.progress_object import progress_key
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.model_sync.sync_job.lambda_client import LambdaClient, stage_of
from tests.model_sync.sync_job.recording import DEADLINE_S, Recording

if TYPE_CHECKING:
    from pathlib import Path

KEY: Final = progress_key("r-1")


@pytest.fixture(autouse=True)
def looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_progress, "_POLL_INTERVAL_S", 0.01)


class Looked:
    """The bucket's client, that counts how often it is looked for progress."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.looks = threading.Semaphore(0)

    def get_object(self, **arguments: str) -> Any:
        self.looks.release()
        return self._s3.get_object(**arguments)


def state(what: str, done: int, total: int) -> bytes:
    return json.dumps({"step": what, "done_bytes": done, "total_bytes": total}).encode()


def test_steps_and_bytes_are_told_as_they_appear(bucket: Bucket) -> None:
    progress = Recording()
    states: dict[bytes, str | int] = {
        state("copying", 0, 10): "copying",
        state("copying", 4, 10): 4,
        state("copying", 10, 10): 6,
        state("trying", 0, 0): "trying",
    }

    def call() -> str:
        for written, told in states.items():
            bucket.put(KEY, written)
            progress.wait_for(told)
        return "answer"

    answer = call_with_progress(call, bucket.s3, bucket.name, "r-1", progress)
    assert answer == "answer"
    assert progress.told == ["copying", 4, 6, "trying"]
    assert progress.totals == [10, 0]


def looked_at(bucket: Bucket, times: int = 2) -> tuple[Recording, object]:
    """Return the reports during a call that ends after this number of looks."""
    progress, client = Recording(), Looked(bucket.s3)

    def call() -> str:
        for _ in range(times):
            assert client.looks.acquire(timeout=DEADLINE_S)
        return "answer"

    return progress, call_with_progress(call, client, bucket.name, "r-1", progress)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\xff", b"<html>", b"null", b"[]", b"1", b'"step"', b"{}", b"[" * 100_000,
        b'{"step": "copying"}',
        b'{"step": "copying", "done_bytes": 1, "total_bytes": null}',
        b'{"step": "copying", "done_bytes": "x", "total_bytes": []}',
        b'{"step": "copying", "done_bytes": 1, "total_bytes": 1e999}',
    ],
)  # fmt: skip
def test_progress_that_is_none_does_not_disturb_the_call(bucket: Bucket, body: bytes) -> None:
    bucket.put(KEY, body)
    progress, answer = looked_at(bucket)
    assert answer == "answer"
    assert progress.told == []


def test_progress_that_is_not_there_yet_does_not_disturb_the_call(bucket: Bucket) -> None:
    progress, answer = looked_at(bucket)
    assert (answer, progress.told) == ("answer", [])


@pytest.mark.usefixtures("here")
def test_a_publication_tells_what_the_function_is_at(bucket: Bucket, tmp_path: Path) -> None:
    progress = Recording()

    class Patient(LambdaClient):
        """Answers when it was told what it did last."""

        def invoke(self, **arguments: Any) -> dict[str, Any]:
            answer = super().invoke(**arguments)
            progress.wait_for("trying it: loading, and 1 golden case")
            return answer

    url = bucket.put_folder(write_model(tmp_path / "adder"), "adder")
    stage = stage_of(Patient(bucket, tmp_path / "store"), bucket.name)
    assert StageStore(stage, progress).publish_url(url, PublishOptions())["version"] == 1


@pytest.mark.parametrize("error", [TimeoutError("late"), KeyError("x"), SystemExit(3)])
def test_what_the_call_raises_is_raised(bucket: Bucket, error: BaseException) -> None:
    def call() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        call_with_progress(call, bucket.s3, bucket.name, "r-1", Recording())
    assert caught.value is error
