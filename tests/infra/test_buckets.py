from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.iam_policies import Request, is_allowed
from tests.infra.templates import text

if TYPE_CHECKING:
    from infra.settings import StageSettings
    from tests.infra.templates import Resource, Resources

NAMES = ("AccessLog", "Models", "BatchInput", "BatchOutput")


def bucket(resources: Resources, name: str) -> Resource:
    return resources.one("AWS::S3::Bucket", f"Buckets{name}")


def rules(found: Resource) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = found["LifecycleConfiguration"]["Rules"]
    return listed


def policy_of(resources: Resources, found: Resource) -> list[dict[str, Any]]:
    [policy] = [
        each
        for each in resources.of_type("AWS::S3::BucketPolicy")
        if text(each["Bucket"]) == f"${{{found.name}}}"
    ]
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def test_these_are_all_the_buckets(resources: Resources) -> None:
    found = {bucket(resources, name).name for name in NAMES}
    assert {each.name for each in resources.of_type("AWS::S3::Bucket")} == found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("context", "allowed"),
    [
        ({"aws:SecureTransport": "true"}, True),
        ({"aws:SecureTransport": "false"}, False),
    ],
)
def test_a_bucket_is_reached_by_tls_alone(
    resources: Resources, name: str, context: dict[str, str], allowed: bool
) -> None:
    found = bucket(resources, name)
    statements = [
        each
        for each in policy_of(resources, found)
        if "NumericLessThan" not in each.get("Condition", {})
    ]
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    for resource in (f"${{{found.name}.Arn}}", f"${{{found.name}.Arn}}/key"):
        request = Request("me", "s3:GetObject", resource, context)
        assert is_allowed(request, [everything], statements) is allowed


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_refuses_old_tls(resources: Resources, name: str) -> None:
    [statement] = [
        each
        for each in policy_of(resources, bucket(resources, name))
        if "NumericLessThan" in each.get("Condition", {})
    ]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"]["NumericLessThan"] == {"s3:TlsVersion": 1.2}


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_allows_nobody_but_its_account(resources: Resources, name: str) -> None:
    for statement in policy_of(resources, bucket(resources, name)):
        if statement["Effect"] == "Allow":
            assert statement["Principal"] == {"Service": "logging.s3.amazonaws.com"}
            assert name == "AccessLog"
            assert statement["Condition"]["StringEquals"]["aws:SourceAccount"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "AccessLog"])
def test_who_asked_a_bucket_for_what_is_logged_elsewhere(resources: Resources, name: str) -> None:
    logging = bucket(resources, name)["LoggingConfiguration"]
    assert text(logging["DestinationBucketName"]) == f"${{{bucket(resources, 'AccessLog').name}}}"
    assert logging["LogFilePrefix"] == f"{name}/"


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_over_in_a_bucket_goes(resources: Resources, name: str) -> None:
    [everywhere] = [
        rule for rule in rules(bucket(resources, name)) if "NoncurrentVersionExpiration" in rule
    ]
    assert "Prefix" not in everywhere
    assert everywhere["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert everywhere["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert everywhere["ExpiredObjectDeleteMarker"] is True


def test_uploads_expire_where_the_stage_says_so_and_progress_always(
    resources: Resources, settings: StageSettings
) -> None:
    expiring = {
        rule.get("Prefix"): rule["ExpirationInDays"]
        for rule in rules(bucket(resources, "Models"))
        if "ExpirationInDays" in rule
    }
    wanted = {".jobs/": 7}
    if days := settings.upload_retention_days:
        wanted |= {"blobs/": days, "contents/": days, "sets/": days}
    assert expiring == wanted


@pytest.mark.parametrize("name", ["BatchInput", "BatchOutput"])
def test_nobodys_inputs_and_outputs_expire(resources: Resources, name: str) -> None:
    assert not [r for r in rules(bucket(resources, name)) if "ExpirationInDays" in r]


@pytest.mark.parametrize("name", NAMES)
def test_a_stage_keeps_its_buckets_as_it_says(
    resources: Resources, settings: StageSettings, name: str
) -> None:
    policy = "Retain" if settings.keeps_data else "Delete"
    assert bucket(resources, name).body["DeletionPolicy"] == policy
