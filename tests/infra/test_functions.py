from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.settings import Target, read_stage
from tests.infra.templates import Resources, text

if TYPE_CHECKING:
    from pathlib import Path

    from infra.settings import FunctionSettings, StageSettings
    from tests.infra.conftest import Synthesize

HANDLERS = {
    "Predict": "inference.predict_function.handler",
    "Batch": "inference.batch_function.handler",
    "Sync": "model_sync.sync_function.handler",
}
EVERY = pytest.mark.parametrize("name", HANDLERS)


def size_of(settings: StageSettings, name: str) -> FunctionSettings:
    size: FunctionSettings = getattr(settings, name.lower())
    return size


def test_there_are_these_functions_and_no_other(resources: Resources) -> None:
    assert {each["Handler"] for each in resources.functions()} == set(HANDLERS.values())
    assert len(resources.functions()) == len(HANDLERS)
    assert not [kind for kind in resources.types() if kind.startswith("Custom::")]


@EVERY
def test_a_function_is_as_large_as_its_stage_says(
    resources: Resources, settings: StageSettings, name: str
) -> None:
    function, size = resources.function(name), size_of(settings, name)
    assert function["Handler"] == HANDLERS[name]
    assert function["MemorySize"] == size.memory_mb
    assert function["Timeout"] == size.timeout_s
    assert function["EphemeralStorage"] == {"Size": size.tmp_mb}
    assert function.get("ReservedConcurrentExecutions") == size.reserved_concurrency


@EVERY
def test_a_function_runs_on_its_stages_target(
    resources: Resources, settings: StageSettings, name: str
) -> None:
    function = resources.function(name)
    assert function["Runtime"] == f"python{settings.target.python}"
    assert function["Architectures"] == [settings.target.architecture]


@EVERY
def test_a_function_is_in_every_isolated_subnet_and_nowhere_else(
    resources: Resources, name: str
) -> None:
    network = resources.function(name)["VpcConfig"]
    subnets = {f"${{{each.name}}}" for each in resources.of_type("AWS::EC2::Subnet")}
    assert {text(each) for each in network["SubnetIds"]} == subnets
    [group] = network["SecurityGroupIds"]
    assert text(group).startswith("${NetworkFunctions")


@pytest.mark.parametrize(
    ("name", "point"), [("Predict", "Reader"), ("Batch", "Reader"), ("Sync", "Writer")]
)
def test_a_function_mounts_the_store_as_reader_or_writer(
    resources: Resources, name: str, point: str
) -> None:
    function = resources.function(name)
    [mount] = function["FileSystemConfigs"]
    assert mount["LocalMountPath"] == "/mnt/store"
    wanted = resources.one("AWS::EFS::AccessPoint", f"StorageFiles{point}")
    assert text(mount["Arn"]).endswith(f":access-point/${{{wanted.name}}}")
    targets = {each.name for each in resources.of_type("AWS::EFS::MountTarget")}
    assert targets <= set(function.body["DependsOn"]), "a mount needs its target there first"


@pytest.mark.parametrize(
    ("name", "own"),
    [
        (
            "Predict",
            {
                "DEFAULT_MODEL": "magika",
                "PRELOAD_MODELS": "magika",
                "MAX_STALENESS_S": "60",
                "SHADOW_PERCENT": "10",
                "BACKGROUND": "auto",
                "VERIFY": "chunks",
            },
        ),
        ("Batch", {"BATCH_OUTPUT_BUCKET": "BucketsBatchOutput"}),
        ("Sync", {"MODELS_BUCKET": "BucketsModels", "PREDICT_MEMORY_MB": "of Predict"}),
    ],
)
def test_a_function_is_told_where_the_store_is_and_what_else_it_needs(
    resources: Resources, name: str, own: dict[str, str]
) -> None:
    own = {
        key: str(resources.function("Predict")["MemorySize"]) if value == "of Predict" else value
        for key, value in own.items()
    }
    variables = resources.function(name)["Environment"]["Variables"]
    buckets = {f"${{{each.name}}}": each.name[:-8] for each in resources.of_type("AWS::S3::Bucket")}
    told = {key: buckets.get(text(value), value) for key, value in variables.items()}
    assert told == {
        "STORE_PATH": "/mnt/store/coldpress",
        "REF_TTL_S": "2",
        "POWERTOOLS_LOG_LEVEL": "INFO",
        **own,
    }


def test_the_settings_that_predict_gets_are_accepted_by_its_code(resources: Resources) -> None:
    from inference.settings import Settings  # noqa: PLC0415

    variables = resources.function("Predict")["Environment"]["Variables"]
    settings = Settings.from_environ(variables)
    assert str(settings.store_path) == "/mnt/store/coldpress"
    assert (settings.default_model, settings.ref_ttl_s) == ("magika", 2.0)
    assert settings.preload_models == ("magika",)
    assert (settings.max_staleness_s, settings.shadow_percent) == (60.0, 10.0)


def test_a_stage_decides_processor_python_reservations_and_what_functions_are_told(
    synthesize_with_stand_ins: Synthesize,
) -> None:
    dev = read_stage("dev")
    stage = replace(
        dev,
        stage="other",
        target=Target(python="3.12", architecture="arm64"),
        default_model="other-model",
        ref_ttl_s=0.5,
        preload_models=("one", "two"),
        log_level="DEBUG",
        predict=replace(dev.predict, reserved_concurrency=3),
    )
    resources = Resources.of_file(synthesize_with_stand_ins(stage))
    for function in resources.functions():
        assert function["Runtime"] == "python3.12"
        assert function["Architectures"] == ["arm64"]
    predict = resources.function("Predict")
    assert predict["ReservedConcurrentExecutions"] == 3
    variables = predict["Environment"]["Variables"]
    assert variables["DEFAULT_MODEL"] == "other-model"
    assert variables["REF_TTL_S"] == "0.5"
    assert variables["PRELOAD_MODELS"] == "one,two"
    assert variables["POWERTOOLS_LOG_LEVEL"] == "DEBUG"


def test_the_store_is_no_mount_point(resources: Resources) -> None:
    for function in resources.functions():
        [mount] = function["FileSystemConfigs"]
        path = function["Environment"]["Variables"]["STORE_PATH"]
        assert path.startswith(f"{mount['LocalMountPath']}/")


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("Predict", ["Runtime"]),
        ("Batch", ["Runtime", "Writer"]),
        ("Sync", ["Runtime", "Writer"]),
    ],
)
def test_a_function_has_the_layers_that_its_code_imports(
    resources: Resources, settings: StageSettings, name: str, layers: list[str]
) -> None:
    found = [text(each)[2:-1] for each in resources.function(name)["Layers"]]
    assert [each[:-8] for each in found] == [f"FunctionsLayers{layer}" for layer in layers]
    for layer in resources.of_type("AWS::Lambda::LayerVersion"):
        assert layer["CompatibleRuntimes"] == [f"python{settings.target.python}"]
        assert layer["CompatibleArchitectures"] == [settings.target.architecture]


@pytest.mark.parametrize(
    ("name", "rooms"),
    [
        ("Predict", {"model_store", "inference"}),
        ("Batch", {"model_store", "inference"}),
        ("Sync", {"model_store", "inference", "model_sync"}),
    ],
)
def test_a_function_gets_the_rooms_that_it_runs(
    dev_template: Path, name: str, rooms: set[str]
) -> None:
    resources = json.loads(dev_template.read_text("utf-8"))["Resources"]
    [function] = [
        body["Properties"]
        for body in resources.values()
        if body.get("Properties", {}).get("Handler") == HANDLERS[name]
    ]
    digest = function["Code"]["S3Key"].removesuffix(".zip")
    code = dev_template.parent / f"asset.{digest}"
    assert {each.name for each in code.iterdir()} == rooms
    module = HANDLERS[name].rpartition(".")[0].replace(".", "/")
    assert (code / f"{module}.py").is_file()
    assert not zipfile.is_zipfile(code)


@EVERY
def test_calls_are_traced(resources: Resources, name: str) -> None:
    assert resources.function(name)["TracingConfig"] == {"Mode": "Active"}
