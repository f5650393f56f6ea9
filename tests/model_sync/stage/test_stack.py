"""A stage is found by its stack, or one line says why not; no other service is called."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from model_sync.errors import StageError, StageUnreachableError, code_of
from model_sync.stage.stack import find_stage
from tests.model_sync.sync_job.cloud import Cloud, cloud

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """An AWS on loopback without any stack, that this process's clients ask."""
    with cloud() as served:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in served.environment().items():
            monkeypatch.setenv(name, value)
        yield served


def refusal(name: str = "dev", kind: type[StageError] = StageUnreachableError) -> str:
    with pytest.raises(kind) as caught:
        find_stage(name)
    assert type(caught.value) is kind
    assert code_of(caught.value) == ("stage" if kind is StageError else "unreachable")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_stack_is_found_with_its_outputs(aws: Cloud) -> None:
    aws.stacks["coldpress-dev"] = {"ModelsBucket": "models", "SyncFunction": "sync"}
    stage = find_stage("dev")
    assert (stage.name, stage.output("ModelsBucket")) == ("dev", "models")
    assert aws.described == ["coldpress-dev"]


def test_a_stack_without_outputs_yet_says_what_to_do(aws: Cloud) -> None:
    aws.stacks["coldpress-dev"] = {}
    with pytest.raises(StageError, match="has no output SyncFunction: make deploy STAGE=dev"):
        find_stage("dev").call("SyncFunction", {})


@pytest.mark.parametrize(
    "name", ["", "Dev", "1dev", "-dev", "a_b", "a b", "dev\n", "é", "../x", "a" * 21, "\udcff"]
)
def test_what_is_no_stages_name_is_refused_unasked(aws: Cloud, name: str) -> None:
    assert "is not a stage's name: expected [a-z][a-z0-9-]{0,19}" in refusal(name, StageError)
    assert aws.described == []


def test_a_stage_that_is_not_deployed_says_how_to(aws: Cloud) -> None:
    assert refusal(kind=StageError) == (
        "stage 'dev' is not deployed in us-east-1 (there is no stack coldpress-dev): "
        "make deploy STAGE=dev"
    )


def test_what_aws_refuses_is_told(aws: Cloud) -> None:
    aws.refusal = "AccessDenied"
    message = refusal(kind=StageError)
    assert message.startswith("stage 'dev' cannot be used: ")
    assert "AccessDenied" in message


@pytest.mark.usefixtures("aws", "retries_at_once")
def test_an_endpoint_that_nobody_serves_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:  # bound and not listening: no other process gets the port
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert refusal() == (
            f"stage 'dev' cannot be reached: Could not connect to the endpoint URL: \"{url}/\""
        )


def test_an_endpoint_that_is_another_server_is_one_line(aws: Cloud) -> None:
    aws.refusal = "<html>"
    assert (
        refusal(kind=StageError)
        == "stage 'dev' cannot be used: the endpoint that answered is not AWS"
    )


@pytest.mark.parametrize("url", ["nonsense", "http://", "127.0.0.1:1"])
def test_an_endpoint_that_is_no_address_is_one_line(
    aws: Cloud, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert "stage 'dev' cannot be " in refusal(kind=StageError)
    assert aws.described == []


def test_a_region_that_is_missing_says_how_to_set_one(
    aws: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert refusal() == (
        "stage 'dev' cannot be reached: no AWS region is set: "
        "set AWS_DEFAULT_REGION, or a profile's region"
    )


def test_the_region_is_where_it_looks(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    assert "is not deployed in eu-central-1 " in refusal(kind=StageError)


def test_credentials_that_are_missing_say_how_to_get_them(
    aws: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert refusal() == (
        "stage 'dev' cannot be reached: no AWS credentials are found: set AWS_PROFILE, or log in"
    )
    assert aws.described == []


def test_half_the_credentials_are_told(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert "AWS_SECRET_ACCESS_KEY" in refusal()


def test_a_profile_that_is_missing_is_named(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert refusal(kind=StageError) == (
        "stage 'dev' cannot be used: The config profile (nobody) could not be found"
    )
