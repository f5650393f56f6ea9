from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.constructs import nag
from infra.errors import SynthError
from infra.settings import read_stage

if TYPE_CHECKING:
    from tests.infra.conftest import Synthesize

PREFIX = "AwsSolutions::"


class Acknowledged:
    """Takes down what is acknowledged, in place of `Validations`, and acknowledges nothing."""

    def __init__(self) -> None:
        self.reasons: dict[tuple[str, str], str] = {}

    def of(self, construct: Any) -> Acknowledged:
        self._path = construct.node.path
        return self

    def acknowledge(self, acknowledgment: Any) -> None:
        self.reasons[self._path, acknowledgment.id] = acknowledgment.reason


def findings(report: Path) -> set[tuple[str, str]]:
    """Return the findings of cdk-nag with their places."""
    return {
        (construct["constructPath"], f"{PREFIX}{violation['ruleName']}")
        for plugin in json.loads(report.read_text("utf-8"))["pluginReports"]
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    }


def report_named_in(error: SynthError) -> Path:
    return Path(str(error).rpartition(": see ")[2])


@pytest.fixture
def acknowledged(monkeypatch: pytest.MonkeyPatch) -> Acknowledged:
    taken_down = Acknowledged()
    monkeypatch.setattr(nag, "Validations", taken_down)
    return taken_down


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_nothing_is_found_that_is_not_explained(stage: str, request: pytest.FixtureRequest) -> None:
    template: Path = request.getfixturevalue(f"{stage}_template")
    report = template.parent / "validation-report.json"
    plugins = [
        each["pluginName"] for each in json.loads(report.read_text("utf-8"))["pluginReports"]
    ]
    assert plugins == ["AwsSolutions"]
    assert findings(report) == set()


def test_a_finding_that_nobody_explained_ends_the_synthesis(
    synthesize_with_stand_ins: Synthesize, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aws_cdk import aws_sqs as sqs  # noqa: PLC0415

    from infra.stack import ColdpressStack  # noqa: PLC0415

    class WithBareQueue(ColdpressStack):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            sqs.Queue(self, "Bare")

    monkeypatch.setattr("infra.app.ColdpressStack", WithBareQueue)
    with pytest.raises(SynthError, match="stage dev has 2 findings") as refused:
        synthesize_with_stand_ins(read_stage("dev"))
    assert "\n" not in str(refused.value)
    assert findings(report_named_in(refused.value)) == {
        ("coldpress-dev/Bare/Resource", f"{PREFIX}AwsSolutions-SQS3"),
        ("coldpress-dev/Bare/Resource", f"{PREFIX}AwsSolutions-SQS4"),
    }


def test_an_error_that_is_no_finding_is_not_taken_for_one(
    synthesize_with_stand_ins: Synthesize, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError("jsii has lost its Node")

    monkeypatch.setattr("infra.app.App.synth", broken)
    with pytest.raises(RuntimeError, match="jsii has lost its Node"):
        synthesize_with_stand_ins(read_stage("dev"))


def test_every_explanation_explains_a_finding_and_says_why(
    synthesize_with_stand_ins: Synthesize, acknowledged: Acknowledged
) -> None:
    with pytest.raises(SynthError) as refused:
        synthesize_with_stand_ins(read_stage("dev"))
    found = findings(report_named_in(refused.value))
    unneeded = {
        (path, rule)
        for path, rule in acknowledged.reasons
        if not any(rule == name and where.startswith(f"{path}/") for where, name in found)
    }
    assert found
    assert not unneeded
    for reason in acknowledged.reasons.values():
        assert len(reason.split()) >= 8
