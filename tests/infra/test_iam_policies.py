"""The evaluator that the other tests lean on: decisions whose answers AWS's own guides give."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.iam_policies import Request, is_allowed

ALLOW = {"Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:b/*"}
DENY = {"Effect": "Deny", "Action": "*", "Resource": "*"}
# What CDK writes for a file system with `allow_anonymous_access=False`.
CDK_DEFAULT = {
    "Effect": "Allow",
    "Principal": {"AWS": "*"},
    "Action": ["elasticfilesystem:ClientRootAccess", "elasticfilesystem:ClientWrite"],
    "Resource": "*",
    "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
}


def asks(**context: str) -> Request:
    keys = {key.replace("__", ":"): value for key, value in context.items()}
    return Request("me", "s3:GetObject", "arn:b/key", keys)


def on(condition: dict[str, Any], effect: str = "Allow") -> dict[str, Any]:
    return {**ALLOW, "Effect": effect, "Condition": condition}


@pytest.mark.parametrize(
    ("allowed", "request_", "identity", "resource"),
    [
        (False, asks(), [], []),
        (True, asks(), [ALLOW], []),
        (False, asks(), [ALLOW, DENY], []),
        (False, asks(), [ALLOW], [{**DENY, "Principal": "*"}]),
        (True, asks(), [ALLOW], [{**DENY, "Principal": {"AWS": "you"}}]),
        (False, asks(), [ALLOW], [{**DENY, "Principal": {"AWS": ["you", "me"]}}]),
        (True, asks(), [], [{**ALLOW, "Principal": {"AWS": "*"}}]),
        (False, asks(), [], [{**ALLOW, "Principal": {"Service": "s3.amazonaws.com"}}]),
        (False, asks(), [{**ALLOW, "Resource": "arn:c/*"}], []),
        (False, asks(), [{**ALLOW, "Action": ["s3:PutObject"]}], []),
        (True, asks(a__k="1"), [on({"StringEquals": {"a:k": ["0", "1"]}})], []),
        (False, asks(), [on({"StringEquals": {"a:k": "1"}})], []),
        (False, asks(a__k="1"), [on({"StringNotEquals": {"a:k": "1"}})], []),
        (True, asks(), [on({"StringNotEquals": {"a:k": "1"}})], []),
        (True, asks(a__k="true"), [on({"Bool": {"a:k": "true"}})], []),
        (False, asks(a__k="1"), [on({"Null": {"a:k": "true"}})], []),
        (True, asks(), [on({"Null": {"a:k": "true"}})], []),
        (False, asks(a__k="1"), [on({"StringEquals": {"a:k": "1"}, "Null": {"a:k": "true"}})], []),
    ],
)
def test_a_request_is_decided(
    allowed: bool,
    request_: Request,
    identity: list[dict[str, Any]],
    resource: list[dict[str, Any]],
) -> None:
    assert is_allowed(request_, identity, resource) is allowed


def test_the_policy_that_cdk_would_write_lets_everyone_write() -> None:
    context = {"elasticfilesystem:AccessedViaMountTarget": "true"}
    request = Request("anonymous", "elasticfilesystem:ClientWrite", "arn:files", context)
    assert is_allowed(request, (), [CDK_DEFAULT])


def test_what_the_evaluator_does_not_know_is_no_answer() -> None:
    with pytest.raises(AssertionError, match="unknown condition operator: IpAddress"):
        is_allowed(asks(), [on({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})])
    with pytest.raises(AssertionError, match="unknown in a statement"):
        is_allowed(asks(), [{**ALLOW, "NotAction": "s3:*"}])
