"""The layers: one for every function, one more for functions that use S3 or publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.constructs.function import ARCHITECTURES, python_runtime

if TYPE_CHECKING:
    from infra.bundling.assets import Assets
    from infra.bundling.cached_folder import Built
    from infra.settings import Target


class Layers(Construct):
    """`runtime`: ONNX Runtime, NumPy, Powertools. `writer`, on top of it: boto3, ONNX."""

    def __init__(
        self, scope: Construct, construct_id: str, *, assets: Assets, target: Target
    ) -> None:
        super().__init__(scope, construct_id)
        self.runtime = self._layer("Runtime", assets.runtime, target)
        self.writer = self._layer("Writer", assets.writer, target)

    def _layer(self, name: str, built: Built, target: Target) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=lambda_.Code.from_asset(str(built.folder)),
            compatible_runtimes=[python_runtime(target.python)],
            compatible_architectures=[ARCHITECTURES[target.architecture]],
        )
