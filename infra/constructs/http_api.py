"""The HTTP API: every path goes to the predict function, and no caller is anonymous."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, cast

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk.aws_apigatewayv2_authorizers import HttpIamAuthorizer, HttpJwtAuthorizer
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.constructs.log_group import ExpiringLogGroup

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

    from infra.settings import ApiSettings


_LOGGED: Final = {
    "requestId": "requestId",
    "time": "requestTime",
    "ip": "identity.sourceIp",
    "method": "httpMethod",
    "path": "path",
    "status": "status",
    "bytes": "responseLength",
    "latencyMs": "responseLatency",
    "functionMs": "integrationLatency",
    "functionError": "integrationErrorMessage",
    "refused": "authorizer.error",
}
"""Fields of an access log line, as API Gateway's variables."""


class Api(Construct):
    """API Gateway's HTTP API with one route, `$default`, and payload format 2.0."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        predict: lambda_.IFunction,
        settings: ApiSettings,
        log_retention_days: int,
    ) -> None:
        super().__init__(scope, construct_id)
        api = apigateway.HttpApi(
            self,
            "Http",
            create_default_stage=False,
            default_integration=HttpLambdaIntegration("Predict", predict),
            default_authorizer=_authorizer(settings),
        )
        self._stage = apigateway.HttpStage(
            self,
            "Stage",
            http_api=api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigateway.ThrottleSettings(
                rate_limit=settings.rate_per_s, burst_limit=settings.burst
            ),
        )
        log = ExpiringLogGroup(self, "AccessLog", retention_days=log_retention_days)
        resource = cast("apigateway.CfnStage", self._stage.node.default_child)
        resource.access_log_settings = apigateway.CfnStage.AccessLogSettingsProperty(
            # A log group's own ARN ends with `:*`, which API Gateway refuses.
            destination_arn=Stack.of(self).format_arn(
                service="logs",
                resource="log-group",
                resource_name=log.log_group_name,
                arn_format=ArnFormat.COLON_RESOURCE_NAME,
            ),
            format=json.dumps({name: f"$context.{value}" for name, value in _LOGGED.items()}),
        )

    @property
    def url(self) -> str:
        """Address of the API."""
        return self._stage.url


def _authorizer(settings: ApiSettings) -> apigateway.IHttpRouteAuthorizer:
    if settings.jwt:
        return HttpJwtAuthorizer("Jwt", settings.jwt.issuer, jwt_audience=[*settings.jwt.audience])
    return HttpIamAuthorizer()
