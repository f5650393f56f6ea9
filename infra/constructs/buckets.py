"""The buckets: models on their way to the store, and a batch's inputs and outputs.

Inputs and outputs are apart, so that an output never becomes an input.
"""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.bucket import PrivateBucket

UPLOADS: Final = ("blobs/", "contents/", "sets/")
"""Prefixes of the command line's uploads, by digest."""
PROGRESS: Final = ".jobs/"
"""Prefix of the sync function's progress objects."""

_PROGRESS_DAYS: Final = 7


class Buckets(Construct):
    """The models' bucket, the two of batch, and one for access logs."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        keeps_data: bool,
        log_retention_days: int,
        upload_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        access_log = PrivateBucket(
            self,
            "AccessLog",
            access_log=None,
            keeps_data=keeps_data,
            lifecycle_rules=[s3.LifecycleRule(expiration=Duration.days(log_retention_days))],
        )
        forgotten = [s3.LifecycleRule(prefix=PROGRESS, expiration=Duration.days(_PROGRESS_DAYS))]
        if upload_retention_days:
            days = Duration.days(upload_retention_days)
            forgotten += [s3.LifecycleRule(prefix=each, expiration=days) for each in UPLOADS]
        self.models = PrivateBucket(
            self,
            "Models",
            access_log=access_log,
            keeps_data=keeps_data,
            lifecycle_rules=forgotten,
        )
        self.batch_input = PrivateBucket(
            self, "BatchInput", access_log=access_log, keeps_data=keeps_data
        )
        self.batch_output = PrivateBucket(
            self, "BatchOutput", access_log=access_log, keeps_data=keeps_data
        )
