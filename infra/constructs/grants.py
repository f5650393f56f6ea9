"""Grants that name each action, and explain each wildcard.

CDK's own grants (`bucket.grant_read`) use wildcards in actions and allow more than is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import CfnElement, Stack
from aws_cdk import aws_iam as iam

from infra.constructs.nag import acknowledge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_s3 as s3

    from infra.constructs.role import FunctionRole


def grant_objects(role: FunctionRole, bucket: s3.IBucket, *actions: str, below: str = "") -> None:
    """Allow actions on a bucket's objects, all or those below a prefix."""
    objects = f"{below}*"
    _allow(role, actions, bucket.arn_for_objects(objects))
    logical_id = Stack.of(bucket).get_logical_id(cast("CfnElement", bucket.node.default_child))
    acknowledge(
        role,
        f"IAM5[Resource::<{logical_id}.Arn>/{objects}]",
        "the bucket's users decide which objects there will be",
    )


def grant_listing(role: FunctionRole, bucket: s3.IBucket) -> None:
    """Allow listing a bucket: without it S3 answers 403, not 404, for a missing object."""
    _allow(role, ["s3:ListBucket"], bucket.bucket_arn)


def _allow(role: FunctionRole, actions: Sequence[str], resource: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=[*actions], resources=[resource]))
