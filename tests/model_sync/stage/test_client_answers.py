"""Whatever the sync function answers, or does not, is one line with a code."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from model_store.package_set import Target
from model_sync.errors import RefusedError, StageError, StageUnreachableError, code_of
from model_sync.progress import Silent
from model_sync.stage.client import StageStore
from model_sync.store_client import PackageSetOptions
from tests.model_sync.sync_job.lambda_client import FUNCTION, Answering, response, stage_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_sync.sync_job.buckets import Bucket

pytestmark = pytest.mark.usefixtures("here")
URL = "http://127.0.0.1:9"


class Torn:
    """An answer whose connection is lost while it is read."""

    def read(self) -> bytes:
        raise ResponseStreamingError(error="Connection broken")


def remote(bucket: Bucket, *answers: object) -> StageStore:
    return StageStore(stage_of(Answering(*answers), bucket.name), Silent())


def failed(**error: Any) -> dict[str, Any]:
    return {"state": "failed", "error": error}


@pytest.mark.parametrize("code", ["trial", "store", "unreachable", "time", "anything"])
def test_what_failed_is_told_with_the_functions_own_code(bucket: Bucket, code: str) -> None:
    with pytest.raises(RefusedError, match=r"^because$") as caught:
        remote(bucket, failed(code=code, message="because")).list_models()
    assert code_of(caught.value) == code


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "state None"),
        ({"models": []}, "state None"),
        ({"state": None}, "state None"),
        ({"state": "begun"}, "state 'begun'"),
        ({"state": ["done"]}, "state ['done']"),
        ({"state": "continue"}, "state 'continue'"),
        ({"state": "continue", "resume": None}, "state 'continue'"),
        ({"state": "failed"}, "state 'failed'"),
        (failed(code="trial"), "state 'failed'"),
        (failed(code=1, message="because"), "state 'failed'"),
    ],
)
def test_an_answer_of_another_kind_is_of_another_release(
    bucket: Bucket, answer: object, said: str
) -> None:
    with pytest.raises(StageError) as caught:
        remote(bucket, answer).list_models()
    assert str(caught.value) == (
        f"the sync function of stage 'dev' answered {said}: "
        "it is of another release than this command"
    )
    assert code_of(caught.value) == "stage"


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"target": None, "brings": {}},
        {"target": {"python": 3.11}, "brings": {}},
        {"target": Target.running().to_json()},
        {"target": Target.running().to_json(), "brings": ["numpy"]},
    ],
)
def test_a_probe_without_a_target_or_what_it_brings_is_of_another_release(
    bucket: Bucket, answer: object, tmp_path: Path
) -> None:
    with pytest.raises(
        StageError, match="answered the probe without its runtime: it is of another"
    ):
        remote(bucket, answer).publish_packages(tmp_path / "pins.txt", PackageSetOptions())


@pytest.mark.parametrize("payload", [b"", b"null", b"[]", b'"done"', b"1", b"<html>", b"\xff"])
def test_an_answer_that_is_no_object_is_one_line(bucket: Bucket, payload: bytes) -> None:
    answer = {"StatusCode": 200, "Payload": io.BytesIO(payload)}
    with pytest.raises(
        StageError, match=f"^the function {FUNCTION} did not answer a JSON object: "
    ):
        remote(bucket, answer).list_models()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"errorType": "MemoryError", "errorMessage": "a\nb"}, "MemoryError: a b"),
        ({"errorType": "MemoryError", "errorMessage": ""}, "MemoryError"),
        ({"errorMessage": "Task timed out after 900.00 seconds"}, "Task timed out after 900.00"),
        ({"errorType": "Runtime.ExitError", "errorMessage": "signal: killed"}, "Runtime.ExitError"),
        (None, ""),
    ],
)
def test_a_function_that_failed_is_told_in_one_line(
    bucket: Bucket, error: object, reason: str
) -> None:
    with pytest.raises(StageError) as caught:
        remote(bucket, response(error, FunctionError="Unhandled")).list_models()
    message = str(caught.value)
    assert message.startswith(f"the function {FUNCTION} failed: {reason}")
    assert message.endswith("; see its log")
    assert "\n" not in message
    assert "None" not in message


@pytest.mark.parametrize(
    "answer",
    [
        EndpointConnectionError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        ReadTimeoutError(endpoint_url=URL),
        {"StatusCode": 200, "Payload": Torn()},
    ],
)
def test_a_lost_connection_is_unreachable_and_not_asked_again(
    bucket: Bucket, answer: object
) -> None:
    calls = Answering(answer, {"state": "done", "models": []})
    with pytest.raises(StageUnreachableError) as caught:
        StageStore(stage_of(calls, bucket.name), Silent()).list_models()
    message = str(caught.value)
    assert message.startswith(f"the function {FUNCTION} of stage 'dev' cannot be reached: ")
    assert "\n" not in message
    assert code_of(caught.value) == "unreachable"
    assert len(calls.asked) == 1, "it may be under way"


def test_a_call_that_is_not_allowed_is_told(bucket: Bucket) -> None:
    said = {"Error": {"Code": "AccessDeniedException", "Message": "not\nyou"}}
    with pytest.raises(StageError, match=r"cannot be used: .*AccessDeniedException.* not you") as e:
        remote(bucket, ClientError(said, "Invoke")).list_models()
    assert code_of(e.value) == "stage"


def test_a_function_that_never_ends_is_given_up(bucket: Bucket) -> None:
    calls = Answering(*({"state": "continue", "resume": f"r-{n}"} for n in range(200)))
    with pytest.raises(StageError, match="was not done after 100 calls"):
        StageStore(stage_of(calls, bucket.name), Silent()).list_models()
    assert [each["resume"] for each in calls.asked] == [None, *(f"r-{n}" for n in range(99))]


@pytest.mark.parametrize("missing", ["ModelsBucket", "SyncFunction"])
def test_an_output_that_the_stack_lacks_is_named(bucket: Bucket, missing: str) -> None:
    stage = stage_of(Answering(), bucket.name, without=[missing])
    with pytest.raises(StageError) as caught:
        StageStore(stage, Silent()).list_models()
    assert str(caught.value) == (
        f"the stack coldpress-dev has no output {missing}: make deploy STAGE=dev"
    )
