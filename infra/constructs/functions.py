"""The three functions, each with its handler, size, layers and mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

from constructs import Construct

from infra.constructs.function import StoreFunction
from infra.constructs.layers import Layers

if TYPE_CHECKING:
    from infra.bundling.assets import Assets
    from infra.constructs.buckets import Buckets
    from infra.constructs.network import Network
    from infra.constructs.storage import Storage
    from infra.settings import StageSettings


class Functions(Construct):
    """`predict` and `batch` read the store, `sync` writes it. The stack adds further grants."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: StageSettings,
        assets: Assets,
        network: Network,
        storage: Storage,
        buckets: Buckets,
    ) -> None:
        super().__init__(scope, construct_id)
        layers = Layers(self, "Layers", assets=assets, target=stage.target)
        reader = storage.mount(writes=False)
        self.predict = StoreFunction(
            self,
            "Predict",
            handler="inference.predict_function.handler",
            code=assets.reader_code,
            layers=[layers.runtime],
            network=network,
            mount=reader,
            size=stage.predict,
            stage=stage,
            environment={
                "DEFAULT_MODEL": stage.default_model,
                "PRELOAD_MODELS": ",".join(stage.preload_models),
                "MAX_STALENESS_S": f"{stage.max_staleness_s:g}",
                "SHADOW_PERCENT": f"{stage.shadow_percent:g}",
                "BACKGROUND": stage.background,
                "VERIFY": stage.verify,
            },
        )
        self.batch = StoreFunction(
            self,
            "Batch",
            handler="inference.batch_function.handler",
            code=assets.reader_code,
            layers=[layers.runtime, layers.writer],
            network=network,
            mount=reader,
            size=stage.batch,
            stage=stage,
            environment={"BATCH_OUTPUT_BUCKET": buckets.batch_output.bucket_name},
        )
        self.sync = StoreFunction(
            self,
            "Sync",
            handler="model_sync.sync_function.handler",
            code=assets.writer_code,
            layers=[layers.runtime, layers.writer],
            network=network,
            mount=storage.mount(writes=True),
            size=stage.sync,
            stage=stage,
            environment={
                "MODELS_BUCKET": buckets.models.bucket_name,
                # Preparations are measured with as many threads as the predict function has.
                "PREDICT_MEMORY_MB": str(stage.predict.memory_mb),
            },
        )
