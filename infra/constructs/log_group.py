"""A log group with a retention period; each function, API and network has its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct


class ExpiringLogGroup(logs.LogGroup):
    """Log group that keeps lines for some days and is deleted with its stack.

    For a function without a log group, Lambda makes one that keeps all lines for ever.
    """

    def __init__(self, scope: Construct, construct_id: str, *, retention_days: int) -> None:
        super().__init__(scope, construct_id, removal_policy=RemovalPolicy.DESTROY)
        # CDK has an enumeration for this; settings.py has the days that CloudWatch accepts.
        resource = cast("logs.CfnLogGroup", self.node.default_child)
        resource.retention_in_days = retention_days
