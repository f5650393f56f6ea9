"""Deploy a cloud assembly to an emulated cloud, as CDK's command line does to an account.

1. Make the bucket and the parameter of `cdk bootstrap`.
2. Upload the assets to the template's buckets and keys, functions' code with its bootstrap.
3. Create the stack from the template as MiniStack accepts it (template.py), and wait for it.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from infra.emulated.assets import read_assets
from infra.emulated.bootstrap import bootstrap
from infra.emulated.template import code_keys, emulated
from infra.errors import EmulatorError

if TYPE_CHECKING:
    from infra.emulated.assets import Asset
    from infra.emulated.cloud import Cloud

DEADLINE_S: Final = 120.0

_BOOTSTRAP_VERSION: Final = "30"
"""CDK's template requires 6 or more."""
_POLL_S: Final = 0.1


def deploy(
    cloud: Cloud,
    assembly: Path,
    stack: str,
    *,
    store: Path,
    client: Path,
    deadline_s: float = DEADLINE_S,
) -> dict[str, str]:
    """Deploy a stack and return its outputs; raises EmulatorError with the failed resource.

    `store`: the folder that functions use in place of their mount. `client`: Lambda's runtime
    client (bootstrap.py).
    """
    template = json.loads((assembly / f"{stack}.template.json").read_text("utf-8"))
    assets = read_assets(assembly, stack)
    folders = {asset.key: asset.folder for asset in assets}
    changed = emulated(template, store=store, folders=folders)
    try:
        _bootstrap_account(cloud, template, {asset.bucket for asset in assets})
        _upload(cloud, assets, code_keys(template), bootstrap(client))
        return _make(cloud, stack, changed, deadline_s)
    except (BotoCoreError, ClientError) as error:
        raise EmulatorError(f"{stack} was not deployed: {_one_line(error)}") from error


def _bootstrap_account(cloud: Cloud, template: dict[str, Any], buckets: set[str]) -> None:
    for bucket in buckets:
        cloud.client("s3").create_bucket(Bucket=bucket)
    for parameter in template.get("Parameters", {}).values():
        if parameter["Type"] == "AWS::SSM::Parameter::Value<String>":
            cloud.client("ssm").put_parameter(
                Name=parameter["Default"], Value=_BOOTSTRAP_VERSION, Type="String"
            )


def _upload(cloud: Cloud, assets: list[Asset], code: set[str], text: str) -> None:
    s3 = cloud.client("s3")
    with tempfile.TemporaryDirectory() as temporary:
        packed = Path(temporary) / "asset.zip"
        for asset in assets:
            asset.pack(packed, text if asset.key in code else None)
            with packed.open("rb") as body:
                s3.put_object(Bucket=asset.bucket, Key=asset.key, Body=body)


def _make(cloud: Cloud, stack: str, template: dict[str, Any], deadline_s: float) -> dict[str, str]:
    formation = cloud.client("cloudformation")
    formation.create_stack(
        StackName=stack,
        TemplateBody=json.dumps(template, separators=(",", ":")),
        Capabilities=["CAPABILITY_IAM"],
        OnFailure="DO_NOTHING",
    )
    deadline = time.monotonic() + deadline_s
    while True:
        [found] = formation.describe_stacks(StackName=stack)["Stacks"]
        status = found["StackStatus"]
        if status == "CREATE_COMPLETE":
            return {each["OutputKey"]: each["OutputValue"] for each in found["Outputs"]}
        if status != "CREATE_IN_PROGRESS":
            raise EmulatorError(f"{stack} was not deployed: {_why(formation, found)}")
        if time.monotonic() > deadline:
            raise EmulatorError(f"{stack} is still being deployed after {deadline_s:g} s")
        time.sleep(_POLL_S)


def _why(formation: Any, found: dict[str, Any]) -> str:
    """Describe the first resource that failed; later failures are its consequences."""
    events = formation.describe_stack_events(StackName=found["StackName"])["StackEvents"]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("_FAILED"):
            reason = _one_line(event.get("ResourceStatusReason", "no reason given"))
            return f"{event['LogicalResourceId']} ({event['ResourceType']}): {reason}"
    return _one_line(found.get("StackStatusReason", found["StackStatus"]))


def _one_line(said: object) -> str:
    return " ".join(str(said).split())
