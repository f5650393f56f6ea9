"""A stage on this machine: synthesized, deployed to MiniStack, removed when the block ends."""

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
from infra.emulated.supervised import last_words, supervised
from infra.errors import EmulatorError, SynthError
from infra.settings import read_stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUNNING: Final = f"{sys.version_info.major}.{sys.version_info.minor}"

_STAGES_NO_ASSETS: Final = {"aws:cdk:disable-asset-staging": True}


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatedStage:
    """A running stage."""

    stage: str
    store: Path
    """Folder that the functions use in place of the mount."""
    endpoint: str
    """Address of every AWS service."""
    api_url: str
    """Address of the HTTP API, without a final slash. Calls are signed (signing.py)."""
    outputs: Mapping[str, str]
    """Outputs of the stack. ApiUrl is an address on AWS; `api_url` is the one here."""
    environ: Mapping[str, str]
    """Environment variables that point AWS's SDKs and the command line at the stage."""
    folder: Path
    """Folder of all its files; removed at the end."""
    log: Path
    """Log of MiniStack."""


@contextlib.contextmanager
def emulated_stage(
    stage: str, store: Path, *, interpreter: Path = MINISTACK
) -> Iterator[EmulatedStage]:
    """Deploy a stage for the Python that runs here; raises InfraError in one line.

    `store` is created if it is missing. `interpreter`: of the environment with MiniStack.
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
    """Return MiniStack's address of the API that has this address on AWS.

    MiniStack also routes by the Host header, as AWS does; a path works with every client.
    """
    api_id = (urlsplit(on_aws).hostname or "").partition(".")[0]
    return f"{endpoint}/_aws/execute-api/{api_id}"


def _synthesize(stage: str, folder: Path) -> Path:
    """Write the stage's assembly for the Python that runs here; raises SynthError.

    Runs in a process of its own, which ends CDK's Node with it. Assets stay in the cache: CDK would
    copy 200 MB into the assembly, only to be removed at the end.
    """
    out, log = folder / "assembly", folder / "synth.log"
    command = [sys.executable, "-m", "infra.synth", "--stage", stage, "--python", RUNNING]
    temporary = folder / "synth-tmp"  # CDK's Node leaves files there when it is killed
    temporary.mkdir()
    environ = {
        **os.environ,
        "CDK_CONTEXT_JSON": json.dumps(_STAGES_NO_ASSETS),
        "TMPDIR": str(temporary),
    }
    with supervised([*command, "--out", out], log=log, cwd=REPOSITORY, environ=environ) as synth:
        if synth.wait():
            said = last_words(log).removeprefix("error: ")
            raise SynthError(f"stage {stage} has no template: {said}")
    return out
