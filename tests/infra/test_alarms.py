from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from infra.settings import read_stage
from tests.infra.templates import Resources, text

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesize

TOPIC = "arn:aws:sns:eu-west-1:123456789012:on-call"


def watched(resources: Resources) -> dict[str, str]:
    return {
        text(each["Dimensions"][0]["Value"]): each["MetricName"]
        for each in resources.of_type("AWS::CloudWatch::Alarm")
    }


def test_every_dead_letter_queue_and_failed_prediction_raises_an_alarm(
    resources: Resources,
) -> None:
    queues = [
        each
        for each in resources.of_type("AWS::SQS::Queue")
        if "RedrivePolicy" not in each.properties
    ]
    wanted = {
        f"${{{each.name}.QueueName}}": "ApproximateNumberOfMessagesVisible" for each in queues
    }
    wanted[f"${{{resources.function('Predict').name}}}"] = "Errors"
    assert watched(resources) == wanted


def test_one_is_enough_and_silence_is_not_an_alarm(resources: Resources) -> None:
    for alarm in resources.of_type("AWS::CloudWatch::Alarm"):
        assert alarm["Threshold"] == 1
        assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
        assert alarm["TreatMissingData"] == "notBreaching"
        assert alarm["AlarmDescription"]


def test_alarms_go_where_the_stage_says(synthesize_with_stand_ins: Synthesize) -> None:
    settings = replace(read_stage("dev"), stage="alarmed", alarm_topic=TOPIC)
    resources = Resources.of_file(synthesize_with_stand_ins(settings))
    for alarm in resources.of_type("AWS::CloudWatch::Alarm"):
        assert alarm["AlarmActions"] == [TOPIC]


def test_without_a_topic_they_only_show(resources: Resources) -> None:
    for alarm in resources.of_type("AWS::CloudWatch::Alarm"):
        assert "AlarmActions" not in alarm.properties
