"""A log group that forgets: each function, API and network here writes to one of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

if TYPE_CHECKING:
    from constructs import Construct


class ExpiringLogGroup(logs.LogGroup):
    """Keeps what is written for some days, and goes with its stack.

    A function without one gets a group that Lambda makes, which keeps everything for ever.
    """

    def __init__(self, scope: Construct, construct_id: str, *, retention_days: int) -> None:
        super().__init__(scope, construct_id, removal_policy=RemovalPolicy.DESTROY)
        # CDK has an enumeration for these; settings.py has the days that CloudWatch takes.
        resource = cast("logs.CfnLogGroup", self.node.default_child)
        resource.retention_in_days = retention_days
