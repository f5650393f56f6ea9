"""One stage as one CloudFormation stack: the constructs, and the grants between them.

Every grant is here, where both parties are visible; `tests/infra/test_permissions.py` compares the
grants with the calls that the functions' code makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import CfnOutput, Stack, Tags

from infra.constructs.alarms import Alarms
from infra.constructs.buckets import PROGRESS, Buckets
from infra.constructs.event_queue import EventQueue
from infra.constructs.functions import Functions
from infra.constructs.grants import grant_listing, grant_objects
from infra.constructs.http_api import Api
from infra.constructs.network import Network
from infra.constructs.storage import Storage

if TYPE_CHECKING:
    from constructs import Construct

    from infra.bundling.assets import Assets
    from infra.settings import StageSettings

LAST_UPLOADED: Final = "/model.toml"
"""The last object that is uploaded of a model: the files that it describes are there."""

_SYNC_CONCURRENCY: Final = 2
"""The smallest number that AWS accepts; models are mostly published one by one."""


class ColdpressStack(Stack):
    """All resources of one stage."""

    def __init__(self, scope: Construct, stage: StageSettings, assets: Assets) -> None:
        super().__init__(
            scope,
            stage.stack_name,
            description=f"Coldpress, stage {stage.stage}",
            termination_protection=stage.keeps_data,
        )
        Tags.of(self).add("coldpress:stage", stage.stage)
        days = stage.log_retention_days

        network = Network(self, "Network", log_retention_days=days)
        storage = Storage(
            self,
            "Storage",
            network=network,
            keeps_data=stage.keeps_data,
            backs_up=stage.backs_up,
        )
        buckets = Buckets(
            self,
            "Buckets",
            keeps_data=stage.keeps_data,
            log_retention_days=days,
            upload_retention_days=stage.upload_retention_days,
        )
        functions = Functions(
            self,
            "Functions",
            stage=stage,
            assets=assets,
            network=network,
            storage=storage,
            buckets=buckets,
        )
        _grant(functions, network, storage, buckets)

        batch_queue = EventQueue(self, "BatchQueue", timeout_s=stage.batch.timeout_s)
        batch_queue.take_events_of(buckets.batch_input)
        batch_queue.feed(functions.batch, max_concurrency=stage.batch.max_concurrency)
        sync_queue = EventQueue(self, "SyncQueue", timeout_s=stage.sync.timeout_s)
        sync_queue.take_events_of(buckets.models, suffix=LAST_UPLOADED)
        sync_queue.feed(functions.sync, max_concurrency=_SYNC_CONCURRENCY)

        api = Api(
            self, "Api", predict=functions.predict, settings=stage.api, log_retention_days=days
        )
        Alarms(
            self,
            "Alarms",
            predict=functions.predict,
            dead_letters={"Batch": batch_queue.dead_letters, "Sync": sync_queue.dead_letters},
            topic_arn=stage.alarm_topic,
        )
        self._output(
            Stage=stage.stage,
            Region=self.region,
            ApiUrl=api.url,
            PredictFunction=functions.predict.function_name,
            BatchFunction=functions.batch.function_name,
            SyncFunction=functions.sync.function_name,
            ModelsBucket=buckets.models.bucket_name,
            BatchInputBucket=buckets.batch_input.bucket_name,
            BatchOutputBucket=buckets.batch_output.bucket_name,
        )

    def _output(self, **values: str) -> None:
        """Add stack outputs for the command line, which finds the stack by its name."""
        for name, value in values.items():
            CfnOutput(self, name, value=value)


def _grant(functions: Functions, network: Network, storage: Storage, buckets: Buckets) -> None:
    predict, batch, sync = (
        function.store_role for function in (functions.predict, functions.batch, functions.sync)
    )
    storage.deny_writing([predict, batch])
    network.let_reach([buckets.models, buckets.batch_input, buckets.batch_output])
    grant_listing(batch, buckets.batch_input)
    grant_objects(batch, buckets.batch_input, "s3:GetObject")
    grant_objects(
        batch,
        buckets.batch_output,
        *("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
    )
    grant_listing(sync, buckets.models)
    grant_objects(sync, buckets.models, "s3:GetObject", "s3:GetObjectVersion")
    grant_objects(sync, buckets.models, "s3:PutObject", below=PROGRESS)
