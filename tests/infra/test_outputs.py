"""The stack's outputs: what the command line reads to find a stage's parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.infra.templates import text

if TYPE_CHECKING:
    from infra.settings import StageSettings
    from tests.infra.templates import Resources

REFERRED = {
    "PredictFunction": ("AWS::Lambda::Function", "FunctionsPredict"),
    "BatchFunction": ("AWS::Lambda::Function", "FunctionsBatch"),
    "SyncFunction": ("AWS::Lambda::Function", "FunctionsSync"),
    "ModelsBucket": ("AWS::S3::Bucket", "BucketsModels"),
    "BatchInputBucket": ("AWS::S3::Bucket", "BucketsBatchInput"),
    "BatchOutputBucket": ("AWS::S3::Bucket", "BucketsBatchOutput"),
}


def test_the_outputs_name_the_stages_parts(resources: Resources, settings: StageSettings) -> None:
    outputs = {name: text(each["Value"]) for name, each in resources.template["Outputs"].items()}
    wanted = {
        output: f"${{{resources.one(kind, name).name}}}"
        for output, (kind, name) in REFERRED.items()
    }
    api = resources.one("AWS::ApiGatewayV2::Api").name
    wanted |= {
        "Stage": settings.stage,
        "Region": "${AWS::Region}",
        "ApiUrl": f"https://${{{api}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}/",
    }
    assert outputs == wanted
