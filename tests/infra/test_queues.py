from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.iam_policies import Request, is_allowed
from tests.infra.templates import text

if TYPE_CHECKING:
    from infra.settings import StageSettings
    from tests.infra.templates import Resource, Resources

FED = {"Batch": "BucketsBatchInput", "Sync": "BucketsModels"}
"""Each function that a queue calls, and the bucket whose events it gets."""


def queue(resources: Resources, function: str) -> Resource:
    return resources.one("AWS::SQS::Queue", f"{function}Queue")


def dead_letters(resources: Resources, function: str) -> Resource:
    return resources.one("AWS::SQS::Queue", f"{function}QueueDeadLetters")


def mapping(resources: Resources, function: str) -> Resource:
    name = resources.function(function).name
    [found] = [
        each
        for each in resources.of_type("AWS::Lambda::EventSourceMapping")
        if text(each["FunctionName"]) == f"${{{name}}}"
    ]
    return found


def policy_of(resources: Resources, found: Resource) -> list[dict[str, Any]]:
    [policy] = [
        each
        for each in resources.of_type("AWS::SQS::QueuePolicy")
        if [text(name) for name in each["Queues"]] == [f"${{{found.name}}}"]
    ]
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def test_every_queue_has_a_dead_letter_queue_or_is_one(resources: Resources) -> None:
    queues = resources.of_type("AWS::SQS::Queue")
    targets = {
        text(each["RedrivePolicy"]["deadLetterTargetArn"])
        for each in queues
        if each.get("RedrivePolicy")
    }
    for each in queues:
        assert each.get("RedrivePolicy") or f"${{{each.name}.Arn}}" in targets
    assert len(queues) == 2 * len(FED)


@pytest.mark.parametrize("function", FED)
def test_what_failed_three_times_is_kept_for_two_weeks(resources: Resources, function: str) -> None:
    redrive = queue(resources, function)["RedrivePolicy"]
    kept = dead_letters(resources, function)
    assert redrive["maxReceiveCount"] == 3
    assert text(redrive["deadLetterTargetArn"]) == f"${{{kept.name}.Arn}}"
    assert kept["MessageRetentionPeriod"] == 14 * 24 * 3600


@pytest.mark.parametrize("function", FED)
def test_a_message_stays_hidden_for_six_timeouts(resources: Resources, function: str) -> None:
    timeout_s = resources.function(function)["Timeout"]
    assert queue(resources, function)["VisibilityTimeout"] >= 6 * timeout_s


@pytest.mark.parametrize("function", FED)
def test_each_call_gets_one_message_and_says_which_failed(
    resources: Resources, settings: StageSettings, function: str
) -> None:
    found = mapping(resources, function)
    assert text(found["EventSourceArn"]) == f"${{{queue(resources, function).name}.Arn}}"
    assert found["BatchSize"] == 1
    assert found["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    most = {"Batch": settings.batch.max_concurrency, "Sync": 2}[function]
    assert found["ScalingConfig"] == {"MaximumConcurrency": most}


def test_nothing_else_calls_a_function_by_itself(resources: Resources) -> None:
    assert len(resources.of_type("AWS::Lambda::EventSourceMapping")) == len(FED)


@pytest.mark.parametrize("function", FED)
def test_a_bucket_tells_its_queue_of_what_is_created(resources: Resources, function: str) -> None:
    bucket = resources.one("AWS::S3::Bucket", FED[function])
    [told] = bucket["NotificationConfiguration"]["QueueConfigurations"]
    assert text(told["Queue"]) == f"${{{queue(resources, function).name}.Arn}}"
    assert told["Event"] == "s3:ObjectCreated:*"


def test_a_batch_takes_every_object_and_a_sync_only_the_one_that_is_uploaded_last(
    resources: Resources,
) -> None:
    filters = {
        function: resources.one("AWS::S3::Bucket", bucket)["NotificationConfiguration"][
            "QueueConfigurations"
        ][0].get("Filter")
        for function, bucket in FED.items()
    }
    assert filters["Batch"] is None
    assert filters["Sync"] == {"S3Key": {"Rules": [{"Name": "suffix", "Value": "/model.toml"}]}}


def test_no_output_becomes_an_input(resources: Resources) -> None:
    silent = [
        each.name
        for each in resources.of_type("AWS::S3::Bucket")
        if "NotificationConfiguration" not in each.properties
    ]
    output = resources.one("AWS::S3::Bucket", "BucketsBatchOutput").name
    log = resources.one("AWS::S3::Bucket", "BucketsAccessLog").name
    assert set(silent) == {output, log}


@pytest.mark.parametrize("function", FED)
def test_a_bucket_is_made_after_what_lets_it_tell(resources: Resources, function: str) -> None:
    found = queue(resources, function)
    policies = [
        each.name
        for each in resources.of_type("AWS::SQS::QueuePolicy")
        if f"${{{found.name}}}" in text(each["Queues"][0])
    ]
    assert resources.one("AWS::S3::Bucket", FED[function]).body["DependsOn"] == policies


@pytest.mark.parametrize("function", FED)
@pytest.mark.parametrize(
    ("account", "encrypted", "allowed"),
    [
        ("${AWS::AccountId}", "true", True),
        ("${AWS::AccountId}", "false", False),
        ("210987654321", "true", False),
    ],
)
def test_only_our_own_buckets_tell_the_queue_and_only_encrypted(
    resources: Resources, function: str, account: str, encrypted: str, allowed: bool
) -> None:
    found = queue(resources, function)
    # S3 is a service, which the evaluator knows only as a principal by its name.
    statements = [
        {**each, "Principal": {"AWS": text(next(iter(each["Principal"].values())))}}
        for each in policy_of(resources, found)
    ]
    context = {"aws:SourceAccount": account, "aws:SecureTransport": encrypted}
    request = Request("s3.amazonaws.com", "sqs:SendMessage", f"${{{found.name}.Arn}}", context)
    assert is_allowed(request, (), statements) is allowed
