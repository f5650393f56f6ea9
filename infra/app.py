"""The CDK app of one stage: one stack, checked by cdk-nag's AwsSolutions pack.

The app knows no account and no region: it is synthesized anywhere, offline, without credentials.
Call `infra.node.use_node` before this module is imported.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from aws_cdk import App, AssetStaging, Validations
from cdk_nag import AwsSolutionsChecks

from infra.errors import SynthError
from infra.stack import ColdpressStack

if TYPE_CHECKING:
    from pathlib import Path

    from infra.bundling.assets import Assets
    from infra.settings import StageSettings

_REPORT: Final = "validation-report.json"
_FLAGS: Final = {
    # Without this flag, access logs need an ACL, which owner-enforced buckets refuse.
    "@aws-cdk/aws-s3:serverAccessLogsUseBucketPolicy": True,
    # Without this flag, adding or removing a zone replaces every mount target.
    "@aws-cdk/aws-efs:mountTargetOrderInsensitiveLogicalId": True,
}


def synthesize(settings: StageSettings, assets: Assets, out: Path) -> Path:
    """Write a stage's cloud assembly to a folder; return the template's path.

    Raises SynthError where cdk-nag found something that no construct acknowledges.
    """
    # CDK caches the hashes of assets for the life of the process, also after their removal.
    AssetStaging.clear_asset_hash_cache()
    app = App(outdir=str(out), context=_FLAGS, analytics_reporting=False, tree_metadata=False)
    stack = ColdpressStack(app, settings, assets)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    try:
        app.synth()
    except RuntimeError as error:
        found = _findings(out / _REPORT)
        if not found:
            raise
        raise SynthError(
            f"stage {settings.stage} has {len(found)} findings without an explanation, the first "
            f"{found[0]}: see {out / _REPORT}"
        ) from error
    return out / stack.template_file


def _findings(report: Path) -> list[str]:
    """List the findings of a validation report, as `rule at construct`."""
    if not report.is_file():
        return []
    return [
        f"{violation['ruleName']} at {construct['constructPath']}"
        for plugin in json.loads(report.read_text("utf-8"))["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
