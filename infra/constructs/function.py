"""A function with the store mounted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Duration, Size
from aws_cdk import aws_lambda as lambda_

from infra.constructs.log_group import ExpiringLogGroup
from infra.constructs.mount import STORE_PATH
from infra.constructs.nag import acknowledge
from infra.constructs.role import FunctionRole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import Construct

    from infra.bundling.cached_folder import Built
    from infra.constructs.mount import StoreMount
    from infra.constructs.network import Network
    from infra.settings import FunctionSettings, StageSettings

ARCHITECTURES: Final = {
    "x86_64": lambda_.Architecture.X86_64,
    "arm64": lambda_.Architecture.ARM_64,
}


class StoreFunction(lambda_.Function):
    """One handler in the network, with its layers, its mount, its role and an expiring log."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        code: Built,
        layers: Sequence[lambda_.ILayerVersion],
        network: Network,
        mount: StoreMount,
        size: FunctionSettings,
        stage: StageSettings,
        environment: Mapping[str, str],
    ) -> None:
        self.store_role = FunctionRole(scope, f"{construct_id}Role")
        """The function's role, for further grants."""
        log = ExpiringLogGroup(scope, f"{construct_id}Log", retention_days=stage.log_retention_days)
        log.grant_write(self.store_role)
        super().__init__(
            scope,
            construct_id,
            handler=handler,
            code=lambda_.Code.from_asset(str(code.folder)),
            layers=layers,
            runtime=python_runtime(stage.target.python),
            architecture=ARCHITECTURES[stage.target.architecture],
            memory_size=size.memory_mb,
            timeout=Duration.seconds(size.timeout_s),
            ephemeral_storage_size=Size.mebibytes(size.tmp_mb),
            reserved_concurrent_executions=size.reserved_concurrency,
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[network.functions],
            filesystem=mount,
            role=self.store_role,
            log_group=log,
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "STORE_PATH": STORE_PATH,
                "REF_TTL_S": f"{stage.ref_ttl_s:g}",
                "POWERTOOLS_LOG_LEVEL": stage.log_level,
                **environment,
            },
        )
        acknowledge(
            self,
            "L1",
            "a stage sets the Python version: ONNX Runtime may have no wheels for the newest, "
            "and the layers' bytecode is made for the version of the stage",
        )


def python_runtime(version: str) -> lambda_.Runtime:
    """Return Lambda's runtime for a Python version such as `3.13`."""
    return lambda_.Runtime(f"python{version}", lambda_.RuntimeFamily.PYTHON)
