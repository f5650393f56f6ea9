from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from infra.emulated.assets import read_assets
from infra.emulated.template import LEFT_OUT, RUNTIME, code_keys, emulated
from infra.errors import EmulatorError
from tests.infra.templates import Resources, listed

if TYPE_CHECKING:
    from pathlib import Path

LAYERS: dict[str, Any] = {
    name: {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {"S3Key": f"{name}.zip"}}}
    for name in ("First", "Second")
}
ANYBODY = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
NO_HTTP: dict[str, Any] = {
    **ANYBODY,
    "Effect": "Deny",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
NO_OLD_TLS: dict[str, Any] = {
    **ANYBODY,
    "Effect": "Deny",
    "Condition": {"NumericLessThan": {"s3:TlsVersion": 1.2}},
}


@pytest.fixture
def folders(tmp_path: Path) -> dict[str, Path]:
    return {f"{name}.zip": tmp_path / name for name in LAYERS}


@pytest.fixture(params=["dev", "prod"])
def given(request: pytest.FixtureRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    """A stage's template, and the one that MiniStack is given."""
    path: Path = request.getfixturevalue(f"{request.param}_template")
    template = json.loads(path.read_text("utf-8"))
    assets = read_assets(path.parent, path.name.removesuffix(".template.json"))
    folders = {asset.key: asset.folder for asset in assets}
    return template, emulated(template, store=path.parent / "store", folders=folders)


def function(**properties: Any) -> dict[str, Any]:
    properties = {"Runtime": "python3.13", "Code": {"S3Key": "code.zip"}, **properties}
    return {"Type": "AWS::Lambda::Function", "Properties": properties}


def policy(*statements: dict[str, Any], kind: str = "AWS::S3::BucketPolicy") -> dict[str, Any]:
    return {"Type": kind, "Properties": {"PolicyDocument": {"Statement": [*statements]}}}


def made(resources: dict[str, Any], folders: dict[str, Path], **rest: Any) -> dict[str, Any]:
    store = next(iter(folders.values())).parent
    return emulated({"Resources": resources, **rest}, store=store, folders=folders)


def test_nothing_is_left_out_of_a_stage_but_what_is_listed(
    given: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    whole, changed = (Resources(template) for template in given)
    assert whole.types() - changed.types() == LEFT_OUT.keys()
    assert given[0].keys() == given[1].keys()


def test_of_a_stage_everything_but_functions_and_policies_about_tls_is_as_it_was(
    given: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    whole, changed = given
    differ = {
        body["Type"]
        for name, body in changed["Resources"].items()
        if body.get("Properties") != whole["Resources"][name].get("Properties")
    }
    assert differ == {"AWS::Lambda::Function", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
    rest = {key: value for key, value in changed.items() if key != "Resources"}
    assert rest == {key: value for key, value in whole.items() if key != "Resources"}


def test_in_a_stage_nobody_waits_for_what_is_left_out(
    given: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    resources = given[1]["Resources"]
    for body in resources.values():
        assert set(listed(body.get("DependsOn"))) <= resources.keys()


def test_a_stages_functions_have_their_layers_and_the_store_on_this_machine(
    given: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    changed = Resources(given[1])
    for name, modules in (("Predict", ["runtime"]), ("Sync", ["writer", "runtime"])):
        variables = changed.function(name)["Environment"]["Variables"]
        assert variables["STORE_PATH"].endswith("/store")
        found = variables["PYTHONPATH"].split(":")
        assert len(found) == len(modules)
        assert all(folder.endswith("/python") for folder in found)
        assert changed.function(name)["Runtime"] == RUNTIME
        assert "POWERTOOLS_LOG_LEVEL" in variables


def test_the_template_that_is_given_does_not_change(folders: dict[str, Path]) -> None:
    resources = {**LAYERS, "Function": function(Layers=[{"Ref": "First"}]), "Log": policy(NO_HTTP)}
    before = copy.deepcopy(resources)
    made(resources, folders)
    assert resources == before


def test_a_later_layer_lies_over_an_earlier_one(folders: dict[str, Path]) -> None:
    changed = made({**LAYERS, "F": function(Layers=[{"Ref": "First"}, {"Ref": "Second"}])}, folders)
    variables = changed["Resources"]["F"]["Properties"]["Environment"]["Variables"]
    second, first = (folders[f"{name}.zip"] / "python" for name in ("Second", "First"))
    assert variables["PYTHONPATH"] == f"{second}:{first}"


@pytest.mark.parametrize("layer", ["arn:aws:lambda:::layer:another:1", {"Ref": "Log"}])
def test_a_layer_from_elsewhere_is_refused(folders: dict[str, Path], layer: Any) -> None:
    with pytest.raises(EmulatorError, match="is not in the template: its content is unknown"):
        made({"F": function(Layers=[layer]), "Log": {"Type": "AWS::Logs::LogGroup"}}, folders)


@pytest.mark.parametrize(
    "referring",
    [
        {"Ref": "Flow"},
        {"Fn::GetAtt": ["Flow", "Id"]},
        {"Fn::GetAtt": "Flow.Id"},
        {"Fn::Sub": "log ${Flow}"},
        {"Fn::Sub": ["${Flow.Id} ${x}", {"x": "y"}]},
        {"Fn::Join": ["", ["a", {"Ref": "Flow"}]]},
    ],
    ids=str,
)
@pytest.mark.parametrize("part", ["Resources", "Outputs"])
def test_a_reference_to_what_is_left_out_is_an_error(
    folders: dict[str, Path], referring: dict[str, Any], part: str
) -> None:
    resources: dict[str, Any] = {"Flow": {"Type": "AWS::EC2::FlowLog"}}
    rest = {}
    if part == "Resources":
        resources["Log"] = {"Type": "AWS::Logs::LogGroup", "Properties": {"Name": referring}}
    else:
        rest["Outputs"] = {"Flow": {"Value": referring}}
    with pytest.raises(EmulatorError, match=r"refers to Flow, but this AWS::EC2::FlowLog is left"):
        made(resources, folders, **rest)


@pytest.mark.parametrize("waits", ["Flow", ["Flow"], ["Flow", "Other"]])
def test_waiting_for_what_is_left_out_is_not(folders: dict[str, Path], waits: Any) -> None:
    log = {"Type": "AWS::Logs::LogGroup", "DependsOn": waits}
    others = {"Flow": {"Type": "AWS::EC2::FlowLog"}, "Other": {"Type": "AWS::Logs::LogGroup"}}
    changed = made({**others, "Log": log}, folders)["Resources"]["Log"]
    assert changed.get("DependsOn") == (["Other"] if "Other" in waits else None)


@pytest.mark.parametrize("kind", ["AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"])
def test_plain_http_is_not_denied_and_the_rest_of_a_policy_stays(
    folders: dict[str, Path], kind: str
) -> None:
    others = {**NO_HTTP, "Condition": {**NO_HTTP["Condition"], "StringEquals": {"a": "b"}}}
    given = policy(ANYBODY, NO_HTTP, NO_OLD_TLS, others, kind=kind)
    [changed] = made({"Policy": given}, folders)["Resources"].values()
    assert changed["Properties"]["PolicyDocument"]["Statement"] == [ANYBODY, others]


def test_a_policy_about_tls_alone_is_left_out(folders: dict[str, Path]) -> None:
    assert made({"Policy": policy(NO_HTTP, NO_OLD_TLS)}, folders)["Resources"] == {}


def test_the_code_of_functions_is_known_from_their_keys(folders: dict[str, Path]) -> None:
    other = function(Code={"S3Key": "other.zip"})
    assert code_keys({"Resources": {**LAYERS, "A": function(), "B": function(), "C": other}}) == {
        "code.zip",
        "other.zip",
    }
