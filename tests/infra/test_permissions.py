"""Permissions of each function's role, compared with the calls of the function.

CALLS is the table: each S3 operation that the code calls, the permissions that S3 asks for it
("Actions, resources, and condition keys for Amazon S3"), and where. A call that the code gains or
loses, and a permission that a role gains or loses, fail here until the table says so too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.constructs.role import NETWORK_ACTIONS, TRACE_ACTIONS
from tests.infra.iam_policies import identity_statements
from tests.infra.s3_calls import s3_calls
from tests.infra.templates import listed, text

if TYPE_CHECKING:
    from tests.infra.templates import Resource, Resources

GET = {("s3:GetObject", "BucketsBatchInput/*")}
PUT = {("s3:PutObject", "BucketsBatchOutput/*")}
READ = {("s3:GetObject", "BucketsModels/*"), ("s3:GetObjectVersion", "BucketsModels/*")}
CALLS: dict[str, dict[str, set[tuple[str, str]]]] = {
    "Predict": {},
    "Batch": {
        # Without s3:ListBucket, S3 answers 403 for an object that was deleted, instead of 404.
        "head_object": GET | {("s3:ListBucket", "BucketsBatchInput")},
        "get_object": GET,
        "put_object": PUT,
        "create_multipart_upload": PUT,
        "upload_part": PUT,
        "complete_multipart_upload": PUT,
        "abort_multipart_upload": {("s3:AbortMultipartUpload", "BucketsBatchOutput/*")},
        "delete_object": {("s3:DeleteObject", "BucketsBatchOutput/*")},
    },
    "Sync": {
        "get_paginator": {("s3:ListBucket", "BucketsModels")},
        "head_object": READ,
        "download_fileobj": READ,
        "put_object": {("s3:PutObject", "BucketsModels/.jobs/*")},
    },
}
HANDLERS = {
    "Predict": "inference.predict_function",
    "Batch": "inference.batch_function",
    "Sync": "model_sync.sync_function",
}
# What Lambda does with the role, for the function: its code calls none of it.
QUEUE_ACTIONS = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
)
QUEUES = {"Predict": set(), "Batch": {"BatchQueue"}, "Sync": {"SyncQueue"}}
EVERY = pytest.mark.parametrize("name", HANDLERS)


def granted(resources: Resources, role: Resource) -> set[tuple[str, str]]:
    """Each action and where: the names of resources without CDK's digits."""
    found = set()
    for statement in identity_statements(resources, role):
        assert statement["Effect"] == "Allow"
        for where in listed(statement["Resource"]):
            name, _, rest = text(where).removeprefix("${").partition(".Arn}")
            place = text(where) if text(where) == "*" else name[:-8] + rest
            found |= {(action, place) for action in listed(statement["Action"])}
    return found


@EVERY
def test_the_table_lists_the_calls_that_the_code_makes(name: str) -> None:
    assert s3_calls(HANDLERS[name]) == set(CALLS[name])


@EVERY
def test_a_role_is_allowed_in_s3_what_the_calls_need_and_no_more(
    resources: Resources, name: str
) -> None:
    wanted = {permission for needed in CALLS[name].values() for permission in needed}
    in_s3 = {each for each in granted(resources, resources.role(name)) if each[0].startswith("s3:")}
    assert in_s3 == wanted


@EVERY
def test_a_role_is_allowed_besides_what_lambda_does_for_its_function(
    resources: Resources, name: str
) -> None:
    wanted = {(action, "*") for action in (*NETWORK_ACTIONS, *TRACE_ACTIONS)}
    wanted |= {
        (action, f"Functions{name}Log") for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    }
    wanted |= {(action, queue) for action in QUEUE_ACTIONS for queue in QUEUES[name]}
    wanted.add(("elasticfilesystem:ClientMount", "StorageFiles"))
    if name == "Sync":
        wanted.add(("elasticfilesystem:ClientWrite", "StorageFiles"))
    found = granted(resources, resources.role(name))
    assert {each for each in found if not each[0].startswith("s3:")} == wanted


@EVERY
def test_each_function_has_its_own_role_and_only_lambda_takes_it(
    resources: Resources, name: str
) -> None:
    role = resources.role(name)
    assert text(resources.function(name)["Role"]) == f"${{{role.name}.Arn}}"
    [trust] = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_no_role_is_allowed_a_wildcard_of_actions(resources: Resources) -> None:
    for role in resources.of_type("AWS::IAM::Role"):
        for action, _ in granted(resources, role):
            assert "*" not in action


def test_only_what_has_no_resources_to_name_is_allowed_everywhere(resources: Resources) -> None:
    everywhere = {
        action
        for role in resources.of_type("AWS::IAM::Role")
        for action, where in granted(resources, role)
        if where == "*"
    }
    assert everywhere == {*NETWORK_ACTIONS, *TRACE_ACTIONS}


def test_these_are_all_the_roles(resources: Resources) -> None:
    others = [
        role.name[:-8]
        for role in resources.of_type("AWS::IAM::Role")
        if role.name not in {resources.role(name).name for name in HANDLERS}
    ]
    assert others == ["NetworkVpcFlowsIAMRole"], "the flow log's, which writes its log"
