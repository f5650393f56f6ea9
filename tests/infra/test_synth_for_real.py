"""With real layers: about 100 MB from the package registry, unless uv has them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from infra.bundling.assets import RUNTIME_LAYER, WRITER_LAYER, Assets, build_assets
from infra.bundling.bytecode import find_interpreter
from infra.bundling.function_code import REPOSITORY
from infra.bundling.layer import LIMIT_BYTES, build_layer
from infra.settings import Target

if TYPE_CHECKING:
    from pathlib import Path

    from infra.bundling.layer import LayerSpec

pytestmark = pytest.mark.slow

RUNNING = Target(python=f"{sys.version_info.major}.{sys.version_info.minor}", architecture="x86_64")
DEADLINE_S = 600


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Assets:
    """Layers and code for the Python that runs here, compiled."""
    interpreter = find_interpreter(RUNNING.python)
    return build_assets(RUNNING, tmp_path_factory.mktemp("assets"), interpreter)


@pytest.fixture
def environ() -> dict[str, str]:
    """No Node, no credentials, no region; what reaches the package registry stays."""
    unwanted = ("AWS_", "JSII_", "CDK_", "PYTHON")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return {**kept, "PATH": "/nowhere"}


def digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        found.update(str(path.relative_to(folder)).encode())
        found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def test_every_function_fits(built: Assets) -> None:
    sizes = built.unzipped_bytes()
    assert set(sizes) == {"predict", "batch", "sync"}
    assert 50 << 20 < sizes["predict"] < sizes["batch"] < LIMIT_BYTES


@pytest.mark.parametrize("layer", [RUNTIME_LAYER, WRITER_LAYER], ids=lambda layer: layer.name)
def test_a_layer_built_twice_is_the_same_bytes(
    built: Assets, tmp_path: Path, layer: LayerSpec
) -> None:
    interpreter = find_interpreter(RUNNING.python)
    again = build_layer(layer, RUNNING, tmp_path, interpreter)
    first = built.runtime if layer is RUNTIME_LAYER else built.writer
    assert again.folder.name == first.folder.name
    assert digest(again.folder) == digest(first.folder)


@pytest.mark.parametrize("layer", [RUNTIME_LAYER, WRITER_LAYER], ids=lambda layer: layer.name)
def test_a_layer_can_be_built_for_arm_and_another_python(tmp_path: Path, layer: LayerSpec) -> None:
    target = Target(python="3.13", architecture="arm64")
    made = build_layer(layer, target, tmp_path, None)
    libraries = [path.name for path in made.folder.rglob("*.cpython-*.so")]
    assert libraries
    assert all(name.endswith(".cpython-313-aarch64-linux-gnu.so") for name in libraries)


def test_no_package_is_in_both_layers(built: Assets) -> None:
    runtime, writer = (
        {path.name for path in (layer.folder / "python").glob("*.dist-info")}
        for layer in (built.runtime, built.writer)
    )
    assert not runtime & writer


@pytest.mark.skipif(sys.platform != "linux", reason="linux only: so are the layers' libraries")
@pytest.mark.parametrize(
    ("module", "code", "layers"),
    [
        ("inference.predict_function", "reader_code", ("runtime",)),
        ("inference.batch_function", "reader_code", ("runtime", "writer")),
        ("model_sync.sync_function", "writer_code", ("runtime", "writer")),
    ],
)
def test_a_handler_needs_its_layers_and_nothing_else(
    built: Assets, tmp_path: Path, module: str, code: str, layers: tuple[str, ...]
) -> None:
    """-S leaves out what is installed beside this Python."""
    paths = [str(getattr(built, name).folder / "python") for name in layers]
    variables = {
        "PYTHONPATH": os.pathsep.join(paths),
        "STORE_PATH": str(tmp_path),
        "MODELS_BUCKET": "models",
        "BATCH_OUTPUT_BUCKET": "outputs",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "POWERTOOLS_METRICS_DISABLED": "true",
    }
    program = f"import {module} as entry; assert callable(entry.handler)"
    done = subprocess.run(
        [sys.executable, "-S", "-B", "-c", program],
        cwd=getattr(built, code).folder,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_stage_is_synthesized_without_node_credentials_or_region(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    out = tmp_path / "assembly"
    done = subprocess.run(
        [sys.executable, "-m", "infra.synth", "--stage", "dev", "--out", out],
        cwd=REPOSITORY,
        env=environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    template = json.loads((out / "coldpress-dev.template.json").read_text("utf-8"))
    layers = [
        body["Properties"]["Content"]["S3Key"].removesuffix(".zip")
        for body in template["Resources"].values()
        if body["Type"] == "AWS::Lambda::LayerVersion"
    ]
    contents = [
        {each.name for each in (out / f"asset.{key}" / "python").iterdir()} for key in layers
    ]
    assert any({"onnxruntime", "numpy", "aws_lambda_powertools"} <= each for each in contents)
    assert any({"boto3", "onnx", "installer"} <= each for each in contents)


def test_cdks_command_line_reads_what_was_synthesized(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    """It comes from npm; `ls` needs no account. npm itself starts a shell."""
    done = subprocess.run(
        [sys.executable, "-m", "infra.cdk", "--stage", "dev", "--out", tmp_path / "out", "ls"],
        cwd=REPOSITORY,
        env={**environ, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "coldpress-dev\n"
