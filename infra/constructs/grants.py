"""Grants that name their actions one by one, and whose wildcards are explained where they are made.

CDK's own (`bucket.grant_read`) allow every action that begins like one that is needed.
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
        "which objects there will be is for the bucket's users to say",
    )


def grant_listing(role: FunctionRole, bucket: s3.IBucket) -> None:
    """Allow listing a bucket, without which S3 answers 403 for an object that is not there."""
    _allow(role, ["s3:ListBucket"], bucket.bucket_arn)


def _allow(role: FunctionRole, actions: Sequence[str], resource: str) -> None:
    role.add_to_policy(iam.PolicyStatement(actions=[*actions], resources=[resource]))
