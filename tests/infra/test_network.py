from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.iam_policies import Request, is_allowed
from tests.infra.templates import listed, text

if TYPE_CHECKING:
    from tests.infra.templates import Resources


def test_no_subnet_gives_out_public_addresses(resources: Resources) -> None:
    subnets = resources.of_type("AWS::EC2::Subnet")
    assert len(subnets) == 2
    assert not any(subnet["MapPublicIpOnLaunch"] for subnet in subnets)


def test_the_only_endpoint_is_the_free_one_to_s3_and_every_subnet_has_it(
    resources: Resources,
) -> None:
    endpoint = resources.one("AWS::EC2::VPCEndpoint")
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert text(endpoint["ServiceName"]) == "com.amazonaws.${AWS::Region}.s3"
    tables = {text(each) for each in endpoint["RouteTableIds"]}
    associations = resources.of_type("AWS::EC2::SubnetRouteTableAssociation")
    assert {text(each["RouteTableId"]) for each in associations} == tables
    assert len(associations) == len(resources.of_type("AWS::EC2::Subnet"))


@pytest.mark.parametrize(
    ("bucket", "account", "reached"),
    [
        ("BucketsModels", "${AWS::AccountId}", True),
        ("BucketsBatchInput", "${AWS::AccountId}", True),
        ("BucketsBatchOutput", "${AWS::AccountId}", True),
        ("BucketsAccessLog", "${AWS::AccountId}", False),
        ("BucketsModels", "210987654321", False),
        ("elsewhere", "${AWS::AccountId}", False),
    ],
)
def test_the_endpoint_leads_to_our_buckets_alone(
    resources: Resources, bucket: str, account: str, reached: bool
) -> None:
    arn = "arn:aws:s3:::elsewhere"
    if bucket != "elsewhere":
        arn = f"${{{resources.one('AWS::S3::Bucket', bucket).name}.Arn}}"
    policy = resources.one("AWS::EC2::VPCEndpoint")["PolicyDocument"]["Statement"]
    request = Request("anyone", "s3:PutObject", f"{arn}/a/key", {"aws:PrincipalAccount": account})
    assert is_allowed(request, (), policy) is reached


def test_nothing_comes_in_but_the_functions_to_the_file_system(resources: Resources) -> None:
    inline = [
        rule
        for group in resources.of_type("AWS::EC2::SecurityGroup")
        for rule in group.get("SecurityGroupIngress", ())
    ]
    apart = resources.of_type("AWS::EC2::SecurityGroupIngress")
    assert not inline
    [rule] = apart
    functions = resources.one("AWS::EC2::SecurityGroup", "NetworkFunctions")
    door = resources.one("AWS::EC2::SecurityGroup", "StorageDoor")
    assert text(rule["SourceSecurityGroupId"]) == f"${{{functions.name}.GroupId}}"
    assert text(rule["GroupId"]) == f"${{{door.name}.GroupId}}"
    assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 2049, 2049)


def test_the_functions_may_send_to_the_file_system_and_by_https_and_nothing_else(
    resources: Resources,
) -> None:
    functions = resources.one("AWS::EC2::SecurityGroup", "NetworkFunctions")
    rules: list[Any] = listed(functions["SecurityGroupEgress"])
    rules += [
        rule.properties
        for rule in resources.of_type("AWS::EC2::SecurityGroupEgress")
        if functions.name in text(rule["GroupId"])
    ]
    assert {(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in rules} == {
        ("tcp", 443, 443),
        ("tcp", 2049, 2049),
    }


def test_whatever_goes_through_the_network_is_logged(resources: Resources) -> None:
    log = resources.one("AWS::EC2::FlowLog")
    assert log["TrafficType"] == "ALL"
    assert text(log["ResourceId"]) == f"${{{resources.one('AWS::EC2::VPC').name}}}"
    group = resources.referred(log["LogGroupName"], "AWS::Logs::LogGroup")
    assert group.name.startswith("NetworkFlowLog")
