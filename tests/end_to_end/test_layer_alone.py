"""The layer and the function's code, packed and unpacked as Lambda does, serve by themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from bench.events import http_event
from inference.local.fleet.environment import LambdaEnvironment
from infra.bundling.assets import CACHE, Assets, build_assets
from infra.bundling.bytecode import find_interpreter
from infra.emulated.bootstrap import gather_client
from infra.settings import Target
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.places import ROOT

if TYPE_CHECKING:
    from infra.bundling.cached_folder import Built

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the Lambda runtime exists on Linux only"),
]

RUNNING: Final = Target(
    python=f"{sys.version_info.major}.{sys.version_info.minor}", architecture="x86_64"
)
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The time that every file has which comes out of a deployment's zip."""


@pytest.fixture(scope="module")
def assets() -> Assets:
    return build_assets(RUNNING, CACHE, find_interpreter(RUNNING.python))


@pytest.fixture(scope="module")
def magika_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("store") / "coldpress"
    publish(ROOT / "models" / "magika", root, progress=Silent())
    return root


def unpacked(built: Built, folder: Path) -> Path:
    """Extract an upload as Lambda does: every file has the zip epoch as its time."""
    packed = folder.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as made:
        for path in sorted(each for each in built.folder.rglob("*") if each.is_file()):
            entry = zipfile.ZipInfo(path.relative_to(built.folder).as_posix(), EPOCH)
            made.writestr(entry, path.read_bytes())
    with zipfile.ZipFile(packed) as made:
        made.extractall(folder)
    packed.unlink()
    return folder


def interpreter_alone(path: Path) -> Path:
    """This Python without its environment's packages."""
    base = Path(sys.executable).resolve()
    path.write_text(f'#!/bin/sh\nexec "{base}" -S -P -B "$@"\n')
    path.chmod(0o755)
    return path


def test_it_serves_magika_and_the_page_with_nothing_else_on_its_path(
    assets: Assets, magika_store: Path, tmp_path: Path
) -> None:
    layer = unpacked(assets.runtime, tmp_path / "opt")
    code = unpacked(assets.reader_code, tmp_path / "task")
    gather_client(tmp_path / "client")
    python = interpreter_alone(tmp_path / "python")
    path = os.pathsep.join(map(str, (code, layer / "python", tmp_path / "client")))
    environ = {"PYTHONPATH": path, "STORE_PATH": str(magika_store), "DEFAULT_MODEL": "magika"}
    assert not can_import(python, path, "httpx"), "this environment's packages are on the path"
    with LambdaEnvironment(
        "inference.predict_function.handler", environ=environ, cwd=code, python=str(python)
    ) as function:
        answer = function.invoke(http_event("/predict", (ROOT / "Makefile").read_bytes()))
        page = function.invoke(http_event("/", method="GET"))
    assert answer["statusCode"] == 200, answer
    assert json.loads(answer["body"])["label"] == "makefile"
    assert page["statusCode"] == 200, page
    assert page["body"] == (ROOT / "inference/http/page.html").read_text("utf-8")


def test_the_bytecode_of_what_was_unpacked_is_taken_as_it_is(
    assets: Assets, tmp_path: Path
) -> None:
    """Its source says something else here: a module that is imported all the same is bytecode."""
    layer = unpacked(assets.runtime, tmp_path / "opt") / "python"
    python = interpreter_alone(tmp_path / "python")
    source = layer / "aws_lambda_powertools" / "logging" / "logger.py"
    source.write_text("raise RuntimeError('compiled anew')\n")
    os.utime(source, (0, 0))
    assert can_import(python, str(layer), "aws_lambda_powertools.logging.logger")


def can_import(python: Path, path: str, module: str) -> bool:
    done = subprocess.run(
        [python, "-c", f"import {module}"],
        env={"PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    return done.returncode == 0
