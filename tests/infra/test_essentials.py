"""Properties that must never change by accident, each as one CDK assertion."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aws_cdk.assertions import Match, Template

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.settings import StageSettings
    from tests.infra.templates import Resources

WAYS_OUT = (
    "AWS::EC2::NatGateway",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::EC2::TransitGatewayAttachment",
    "AWS::EC2::VPNGateway",
    "AWS::EC2::VPCPeeringConnection",
    "AWS::EC2::EIP",
    "AWS::EC2::Route",
)


@pytest.fixture
def template(resources: Resources) -> Template:
    return Template.from_json(resources.template)


def test_nothing_leads_out_of_the_network(template: Template) -> None:
    for kind in WAYS_OUT:
        template.resource_count_is(kind, 0)


def test_the_file_system_scales_with_its_use_and_is_encrypted(template: Template) -> None:
    template.all_resources_properties(
        "AWS::EFS::FileSystem",
        {"ThroughputMode": "elastic", "PerformanceMode": "generalPurpose", "Encrypted": True},
    )
    template.resource_count_is("AWS::EFS::FileSystem", 1)


def test_every_bucket_is_private_encrypted_and_versioned(template: Template) -> None:
    template.all_resources_properties(
        "AWS::S3::Bucket",
        {
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "VersioningConfiguration": {"Status": "Enabled"},
            "BucketEncryption": {
                "ServerSideEncryptionConfiguration": [
                    {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
                ]
            },
            "AccessControl": Match.absent(),
            "WebsiteConfiguration": Match.absent(),
        },
    )
    template.resource_count_is("AWS::S3::Bucket", 4)


def test_every_message_is_encrypted_where_it_lies(template: Template) -> None:
    template.all_resources_properties("AWS::SQS::Queue", {"SqsManagedSseEnabled": True})
    template.resource_count_is("AWS::SQS::Queue", 4)


def test_every_function_is_in_the_network_with_a_log_of_its_own(template: Template) -> None:
    template.all_resources_properties(
        "AWS::Lambda::Function",
        {
            "VpcConfig": {"SubnetIds": Match.any_value(), "SecurityGroupIds": Match.any_value()},
            "LoggingConfig": {"LogGroup": Match.any_value()},
        },
    )
    template.resource_count_is("AWS::Lambda::Function", 3)


def test_every_log_group_forgets_after_the_days_of_its_stage(
    template: Template, settings: StageSettings
) -> None:
    template.all_resources_properties(
        "AWS::Logs::LogGroup", {"RetentionInDays": settings.log_retention_days}
    )
    template.resource_count_is("AWS::Logs::LogGroup", 5)


def test_every_route_of_the_api_wants_a_signature(template: Template) -> None:
    template.all_resources_properties("AWS::ApiGatewayV2::Route", {"AuthorizationType": "AWS_IAM"})


@pytest.mark.parametrize(
    ("kind", "key", "essential"),
    [
        (
            "AWS::S3::Bucket",
            "VersioningConfiguration",
            test_every_bucket_is_private_encrypted_and_versioned,
        ),
        ("AWS::SQS::Queue", "SqsManagedSseEnabled", test_every_message_is_encrypted_where_it_lies),
        (
            "AWS::Lambda::Function",
            "LoggingConfig",
            test_every_function_is_in_the_network_with_a_log_of_its_own,
        ),
    ],
)
def test_one_resource_that_is_otherwise_is_noticed(
    resources: Resources, kind: str, key: str, essential: Callable[[Template], None]
) -> None:
    """The assertions above hold for all resources of a type, not for some."""
    template: dict[str, Any] = json.loads(json.dumps(resources.template))
    last = resources.of_type(kind)[-1].name
    del template["Resources"][last]["Properties"][key]
    changed = Template.from_json(template)
    with pytest.raises(RuntimeError, match=last):
        essential(changed)
