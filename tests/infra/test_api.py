from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.settings import JwtSettings, read_stage
from tests.infra.templates import Resources, text

if TYPE_CHECKING:
    from infra.settings import StageSettings
    from tests.infra.conftest import Synthesize


@pytest.fixture(scope="module")
def with_tokens(synthesize_with_stand_ins: Synthesize) -> Resources:
    stage = read_stage("dev")
    jwt = JwtSettings(issuer="https://example.com/", audience=("coldpress", "others"))
    settings = replace(stage, stage="tokens", api=replace(stage.api, jwt=jwt))
    return Resources.of_file(synthesize_with_stand_ins(settings))


def test_every_address_goes_to_predict_and_nobody_is_anonymous(resources: Resources) -> None:
    route = resources.one("AWS::ApiGatewayV2::Route")
    assert route["RouteKey"] == "$default"
    assert route["AuthorizationType"] == "AWS_IAM"
    integration = resources.one("AWS::ApiGatewayV2::Integration")
    assert text(route["Target"]) == f"integrations/${{{integration.name}}}"
    assert integration["PayloadFormatVersion"] == "2.0"
    assert integration["IntegrationType"] == "AWS_PROXY"
    assert resources.function("Predict").name in text(integration["IntegrationUri"])


def test_calls_are_limited_as_the_stage_says(resources: Resources, settings: StageSettings) -> None:
    stage = resources.one("AWS::ApiGatewayV2::Stage")
    assert stage["StageName"] == "$default"
    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingRateLimit": settings.api.rate_per_s,
        "ThrottlingBurstLimit": settings.api.burst,
    }


def test_only_the_api_may_call_the_function_without_a_role(resources: Resources) -> None:
    permission = resources.one("AWS::Lambda::Permission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    api = resources.one("AWS::ApiGatewayV2::Api")
    assert f":${{{api.name}}}/" in text(permission["SourceArn"])
    assert resources.function("Predict").name in text(permission["FunctionName"])


def test_no_function_has_an_address_of_its_own(resources: Resources) -> None:
    assert not resources.of_type("AWS::Lambda::Url")


def test_a_stage_may_take_tokens_instead(with_tokens: Resources) -> None:
    route = with_tokens.one("AWS::ApiGatewayV2::Route")
    authorizer = with_tokens.one("AWS::ApiGatewayV2::Authorizer")
    assert route["AuthorizationType"] == "JWT"
    assert text(route["AuthorizerId"]) == f"${{{authorizer.name}}}"
    assert authorizer["JwtConfiguration"] == {
        "Issuer": "https://example.com/",
        "Audience": ["coldpress", "others"],
    }
