"""A queue between a bucket and a function: failed messages are retried, then kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from aws_cdk import Aws, Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_

TRIES: Final = 3
VISIBILITY_TIMEOUTS: Final = 6
"""Visibility timeout in timeouts of the function: AWS asks for six, for its retries."""

_KEPT: Final = Duration.days(14)


class EventQueue(Construct):
    """Queue from a bucket's events to a function, one object a call, with a dead-letter queue."""

    def __init__(self, scope: Construct, construct_id: str, *, timeout_s: int) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=_KEPT,
        )
        self._queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=_KEPT,
            visibility_timeout=Duration.seconds(VISIBILITY_TIMEOUTS * timeout_s),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=TRIES, queue=self.dead_letters),
        )

    def take_events_of(self, bucket: s3.Bucket, *, suffix: str = "") -> None:
        """Send an event for each created object whose key ends with `suffix`.

        CDK's own notifications add a function with rights to every bucket and an endless log.
        """
        granted = self._queue.add_to_resource_policy(
            iam.PolicyStatement(
                sid="EventsOfOurBuckets",
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self._queue.queue_arn],
                # Not the bucket's ARN: S3 tries the queue when it makes the bucket, so the bucket
                # must come after this policy, which then cannot refer to it.
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        resource = cast("s3.CfnBucket", bucket.node.default_child)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event="s3:ObjectCreated:*",
                    queue=self._queue.queue_arn,
                    filter=_ends_with(suffix) if suffix else None,
                )
            ]
        )
        if granted.policy_dependable is not None:
            resource.node.add_dependency(granted.policy_dependable)

    def feed(self, function: lambda_.IFunction, *, max_concurrency: int) -> None:
        """Call the function with each message; messages that it reports as failed are retried."""
        function.add_event_source(
            sources.SqsEventSource(
                self._queue,
                # A message that waits behind others in a call would count as tried when time is up.
                batch_size=1,
                max_concurrency=max_concurrency,
                report_batch_item_failures=True,
            )
        )


def _ends_with(suffix: str) -> s3.CfnBucket.NotificationFilterProperty:
    return s3.CfnBucket.NotificationFilterProperty(
        s3_key=s3.CfnBucket.S3KeyFilterProperty(
            rules=[s3.CfnBucket.FilterRuleProperty(name="suffix", value=suffix)]
        )
    )
