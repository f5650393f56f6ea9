"""Report of a stack that MiniStack refuses. Real stages: tests/model_sync/stage/test_stack.py."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from infra.emulated.deploy import deploy
from infra.emulated.ministack import ministack
from infra.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.emulated.cloud import Cloud

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="linux only: so is the emulated cloud"),
]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with ministack(tmp_path_factory.mktemp("ministack")) as running:
        yield running


def deployed(cloud: Cloud, folder: Path, resources: dict[str, Any]) -> dict[str, str]:
    """Deploy a stack of these resources and no assets, named after the test's folder."""
    stack = folder.name.replace("_", "-")
    outputs = {"Names": {"Value": {"Fn::Join": [",", [{"Ref": name} for name in resources]]}}}
    template = {"Resources": resources, "Outputs": outputs}
    (folder / f"{stack}.template.json").write_text(json.dumps(template))
    (folder / f"{stack}.assets.json").write_text(json.dumps({"files": {}}))
    return deploy(cloud, folder, stack, store=folder / "store", client=folder / "client")


def failure(cloud: Cloud, folder: Path, resources: dict[str, Any]) -> str:
    with pytest.raises(EmulatorError) as raised:
        deployed(cloud, folder, resources)
    message = str(raised.value)
    assert "\n" not in message
    assert message.startswith(f"{folder.name.replace('_', '-')} was not deployed: ")
    return message


def test_a_stack_that_is_made_gives_its_outputs(cloud: Cloud, tmp_path: Path) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "mine"}}
    outputs = deployed(cloud, tmp_path, {"Queue": queue})
    assert outputs["Names"].endswith("/mine")


def test_a_resource_that_fails_is_named_with_the_reason(cloud: Cloud, tmp_path: Path) -> None:
    nowhere = {"Event": "s3:ObjectCreated:*", "Queue": "arn:aws:sqs:us-east-1:000000000000:none"}
    configuration = {"NotificationConfiguration": {"QueueConfigurations": [nowhere]}}
    bucket = {"Type": "AWS::S3::Bucket", "Properties": configuration}
    message = failure(cloud, tmp_path, {"Queue": {"Type": "AWS::SQS::Queue"}, "Inputs": bucket})
    assert "Inputs (AWS::S3::Bucket): " in message
    assert "destination" in message


def test_a_type_that_is_not_known_is_named(cloud: Cloud, tmp_path: Path) -> None:
    message = failure(cloud, tmp_path, {"Thing": {"Type": "AWS::Coldpress::Thing"}})
    assert "AWS::Coldpress::Thing" in message
