"""Alarms: messages that were given up, and predict calls without an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk.aws_cloudwatch_actions import SnsAction
from aws_cdk.aws_sns import Topic
from constructs import Construct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_sqs as sqs

_PERIOD: Final = Duration.minutes(5)


class Alarms(Construct):
    """One alarm for each dead-letter queue, and one for predict calls without an answer."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        predict: lambda_.IFunction,
        dead_letters: Mapping[str, sqs.IQueue],
        topic_arn: str | None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._topic = Topic.from_topic_arn(self, "Topic", topic_arn) if topic_arn else None
        for name, queue in dead_letters.items():
            self._alarm(
                f"{name}GaveUp",
                queue.metric_approximate_number_of_messages_visible(
                    period=_PERIOD, statistic="Maximum"
                ),
                f"The {name} queue gave messages up: see why, then send them back",
            )
        self._alarm(
            "PredictFailed",
            predict.metric_errors(period=_PERIOD, statistic="Sum"),
            "Predict calls timed out, crashed, or found no mount",
        )

    def _alarm(self, name: str, metric: cloudwatch.IMetric, description: str) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            alarm_description=description,
            threshold=1,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        if self._topic:
            alarm.add_alarm_action(SnsAction(self._topic))
