"""The permissions of every function's role: running in a network, and tracing.

Further permissions (log, mount, buckets) are granted where the other party is known. AWS's managed
policies are not used: they allow writing to every log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import aws_iam as iam

from infra.constructs.nag import acknowledge

if TYPE_CHECKING:
    from constructs import Construct

NETWORK_ACTIONS: Final = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)
TRACE_ACTIONS: Final = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")


class FunctionRole(iam.Role):
    """The role of one function."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(
            scope, construct_id, assumed_by=iam.ServicePrincipal("lambda.amazonaws.com")
        )
        self.add_to_policy(iam.PolicyStatement(actions=[*NETWORK_ACTIONS], resources=["*"]))
        acknowledge(
            self,
            "IAM5[Resource::*]",
            "Lambda attaches the function to its network with this role, and EC2 does not say in "
            "advance which interface will be used; X-Ray has no resources to name. The function's "
            "own code reaches neither: its network leads to S3 alone.",
        )
