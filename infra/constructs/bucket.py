"""A bucket that is private, encrypted, versioned, logged, and reached by TLS only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_s3 as s3

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

_OLD_VERSIONS_DAYS: Final = 30
_UPLOAD_DAYS: Final = 7


class PrivateBucket(s3.Bucket):
    """Keep overwritten and deleted objects for a month, unfinished uploads for a week.

    Without `keeps_data` the bucket is deleted with its stack, but only when it is empty: no
    resource here deletes its objects.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        access_log: s3.IBucket | None,
        keeps_data: bool,
        lifecycle_rules: Sequence[s3.LifecycleRule] = (),
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            versioned=True,
            server_access_logs_bucket=access_log,
            server_access_logs_prefix=f"{construct_id}/" if access_log else None,
            removal_policy=RemovalPolicy.RETAIN if keeps_data else RemovalPolicy.DESTROY,
            lifecycle_rules=[
                s3.LifecycleRule(
                    expired_object_delete_marker=True,
                    noncurrent_version_expiration=Duration.days(_OLD_VERSIONS_DAYS),
                    abort_incomplete_multipart_upload_after=Duration.days(_UPLOAD_DAYS),
                ),
                *lifecycle_rules,
            ],
        )
