from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.infra.templates import text

if TYPE_CHECKING:
    from tests.infra.templates import Resources

GROUP = "AWS::Logs::LogGroup"


def test_everything_that_writes_a_log_has_a_group_of_its_own(resources: Resources) -> None:
    writers = {each.name: each["LoggingConfig"]["LogGroup"] for each in resources.functions()}
    for stage in resources.of_type("AWS::ApiGatewayV2::Stage"):
        writers[stage.name] = stage["AccessLogSettings"]["DestinationArn"]
    for flow in resources.of_type("AWS::EC2::FlowLog"):
        writers[flow.name] = flow["LogGroupName"]
    used = [resources.referred(value, GROUP).name for value in writers.values()]
    assert sorted(used) == sorted(each.name for each in resources.of_type(GROUP))
    assert len(used) == len(set(used)) == 5


def test_a_call_over_http_is_one_json_line(resources: Resources) -> None:
    stage = resources.one("AWS::ApiGatewayV2::Stage")
    line = json.loads(stage["AccessLogSettings"]["Format"])
    assert line["requestId"] == "$context.requestId"
    assert {"status", "path", "latencyMs", "functionError"} <= set(line)
    assert text(stage["AccessLogSettings"]["DestinationArn"])[-2:] != ":*"
