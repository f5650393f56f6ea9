"""AWS's Lambda client, as far as a stage asks it: each call runs the sync function itself."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_sync.stage.stack import StageStack
from model_sync.sync_job.handler import SyncJob
from model_sync.sync_job.settings import JobSettings
from tests.model_sync.sync_job.invocations import LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.model_sync.sync_job.buckets import Bucket

FUNCTION = "coldpress-dev-sync"


@dataclass(frozen=True)
class Invocation:
    """Lambda's context, as far as the function asks it."""

    get_remaining_time_in_millis: Callable[[], float]


class LambdaClient:
    """`invoke` with boto3's shape. `times` are the remaining times of successive invocations."""

    def __init__(self, bucket: Bucket, store: Path) -> None:
        self._job = SyncJob(JobSettings(store, bucket.name), bucket.s3)
        self.times: list[Callable[[], float]] = []
        self.asked: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        """Run the function, as Lambda does: what comes in and goes out is JSON."""
        assert FunctionName == FUNCTION
        event = json.loads(Payload)
        self.asked.append(event)
        remaining_ms = self.times.pop(0) if self.times else lambda: LONG
        try:
            return response(self._job(event, Invocation(remaining_ms)))
        except Exception as error:
            failed = {"errorType": type(error).__name__, "errorMessage": str(error)}
            return response(failed, FunctionError="Unhandled")

    def called(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        """The same, for who has the event and no boto3."""
        return self.invoke(FunctionName=name, Payload=json.dumps(event).encode())


class Answering:
    """`invoke` that gives what it was made with, one after the other; raises what is an error."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.asked: list[dict[str, Any]] = []

    def invoke(self, *, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        """Give the next answer."""
        assert FunctionName == FUNCTION
        self.asked.append(json.loads(Payload))
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, dict) and "Payload" in answer else response(answer)

    def called(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        """The same, for who has the event and no boto3."""
        return self.invoke(FunctionName=name, Payload=json.dumps(event).encode())


def response(answer: object, **more: str) -> dict[str, Any]:
    """Return boto3's result of an answered call."""
    return {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(answer).encode()), **more}


def stage_of(calls: object, bucket: str, *, without: Iterable[str] = ()) -> StageStack:
    """The stage `dev`, its functions called by this client."""
    outputs = {"ModelsBucket": bucket, "SyncFunction": FUNCTION}
    return StageStack("dev", {k: v for k, v in outputs.items() if k not in without}, calls)
