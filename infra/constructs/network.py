"""The functions' network, which leads to the file system and to S3 alone.

There is no internet gateway and no NAT (docs/adr/0002). S3 is reached through a gateway endpoint,
which is free, and whose policy allows this deployment's buckets alone. Logs, metrics, traces and
queues need no route: Lambda carries them outside of this network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.constructs.log_group import ExpiringLogGroup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aws_cdk import aws_s3 as s3


class Network(Construct):
    """Isolated subnets in two zones, the way to S3, and the functions' security group."""

    def __init__(self, scope: Construct, construct_id: str, *, log_retention_days: int) -> None:
        super().__init__(scope, construct_id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED
                )
            ],
        )
        # All traffic, not only rejected traffic: an HTTPS connection to the internet passes the
        # rule for S3 and then finds no route, which a flow log calls accepted.
        self.vpc.add_flow_log(
            "Flows",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(
                ExpiringLogGroup(self, "FlowLog", retention_days=log_retention_days)
            ),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self._s3 = self.vpc.add_gateway_endpoint(
            "S3", service=ec2.GatewayVpcEndpointAwsService.S3, subnets=[self.subnets]
        )
        self.functions = ec2.SecurityGroup(
            self,
            "Functions",
            vpc=self.vpc,
            description="The functions: out to the file system and to S3",
            allow_all_outbound=False,
        )
        # S3's addresses differ by region and have no name that a template can use. The routes
        # decide what this rule can reach: the S3 endpoint is the only one that leads out.
        self.functions.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3, through its gateway endpoint"
        )

    def let_reach(self, buckets: Iterable[s3.IBucket]) -> None:
        """Allow calls to these buckets, and to no other, whatever a role allows."""
        self._s3.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=["s3:*"],
                resources=[
                    arn for each in buckets for arn in (each.bucket_arn, f"{each.bucket_arn}/*")
                ],
                conditions={"StringEquals": {"aws:PrincipalAccount": Aws.ACCOUNT_ID}},
            )
        )
