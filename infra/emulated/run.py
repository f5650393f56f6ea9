"""A stage on this machine: synthesized, deployed to MiniStack, and gone when the block ends."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from infra.bundling.function_code import REPOSITORY
from infra.emulated.bootstrap import gather_client
from infra.emulated.deploy import deploy
from infra.emulated.ministack import MINISTACK, ministack
from infra.emulated.supervised import kept, last_words
from infra.errors import EmulatorError, SynthError
from infra.settings import read_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUNNING: Final = f"{sys.version_info.major}.{sys.version_info.minor}"

_STAGES_NO_ASSETS: Final = {"aws:cdk:disable-asset-staging": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedStage:
    """A stage that answers."""

    stage: str
    store: Path
    """What its functions have in place of the mount."""
    endpoint: str
    """The address of every AWS service."""
    api_url: str
    """The HTTP API's, without a slash at its end. Calls are signed (signing.py)."""
    outputs: Mapping[str, str]
    """The stack's. Its ApiUrl is what AWS would say; `api_url` is what answers here."""
    environ: Mapping[str, str]
    """The variables with which AWS's SDKs and our command line talk to it, in any process."""
    folder: Path
    """Everything of it, while it runs."""
    log: Path
    """MiniStack's."""


@contextlib.contextmanager
def emulated_stage(
    stage: str, store: Path, *, interpreter: Path = MINISTACK
) -> Iterator[EmulatedStage]:
    """Deploy a stage for the Python that runs here; raises InfraError in one line.

    `store` is made where it is missing. `interpreter`: of the environment that has MiniStack.
    """
    stack = read_stage(stage).stack_name
    store = store.resolve()
    if store.exists() and not store.is_dir():
        raise EmulatorError(f"{store} is no folder: name one for the store")
    with tempfile.TemporaryDirectory(prefix="coldpress-emulated-") as temporary:
        folder = Path(temporary)
        gather_client(folder / "client")
        with ministack(folder / "ministack", interpreter=interpreter) as cloud:
            store.mkdir(parents=True, exist_ok=True)
            made = _synthesize(stage, folder)
            outputs = deploy(cloud, made, stack, store=store, client=folder / "client")
            yield EmulatedStage(
                stage=stage,
                store=store,
                endpoint=cloud.endpoint,
                api_url=api_url(cloud.endpoint, outputs["ApiUrl"]),
                outputs=outputs,
                environ=cloud.environ,
                folder=folder,
                log=cloud.log,
            )


def api_url(endpoint: str, on_aws: str) -> str:
    """Where MiniStack serves the API that has this address on AWS.

    It goes by the Host header too, as AWS does; a path needs no client that can set one.
    """
    api_id = (urlsplit(on_aws).hostname or "").partition(".")[0]
    return f"{endpoint}/_aws/execute-api/{api_id}"


def _synthesize(stage: str, folder: Path) -> Path:
    """Write the stage's assembly for the Python that runs here; raises SynthError.

    In a process of its own, which takes CDK's Node along when it ends. Its assets stay where they
    were built: CDK would copy 200 MB into the assembly, to be removed at the end.
    """
    out, log = folder / "assembly", folder / "synth.log"
    command = [sys.executable, "-m", "infra.synth", "--stage", stage, "--python", RUNNING]
    temporary = folder / "synth-tmp"  # killed, CDK's Node leaves its files there
    temporary.mkdir()
    environ = {
        **os.environ,
        "CDK_CONTEXT_JSON": json.dumps(_STAGES_NO_ASSETS),
        "TMPDIR": str(temporary),
    }
    with kept([*command, "--out", out], log=log, cwd=REPOSITORY, environ=environ) as synth:
        if synth.wait():
            said = last_words(log).removeprefix("error: ")
            raise SynthError(f"stage {stage} has no template: {said}")
    return out
