"""The shipped model magika: built once where it is missing, its pipeline in any prediction mode."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from model_store.layout import StoreLayout
from tests.support.places import ROOT
from tests.support.repository_copy import outer_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import ModuleType

MODEL = ROOT / "models" / "magika"


def described() -> dict[str, Any]:
    """Return what model.toml says."""
    return tomllib.loads((MODEL / "model.toml").read_text())


def _import(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("magika_" + path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def import_file() -> Callable[[Path], Any]:
    """Run a Python file as a new module."""
    return _import


@pytest.fixture(scope="session")
def magika_folder() -> Path:
    """Return models/magika, built."""
    if not all((MODEL / name).exists() for name in described()["build"]["outputs"]):
        subprocess.run([sys.executable, str(MODEL / "build.py")], check=True)
    return MODEL


@pytest.fixture(scope="session")
def pipeline_in_mode(
    magika_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Any]:
    """Import pipeline.py beside a settings.json that chooses a prediction mode."""

    def load(mode: str) -> ModuleType:
        folder = tmp_path_factory.mktemp("pipeline")
        pipeline = described()["pipeline"]
        for name in (pipeline["file"], *pipeline["data"]):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(magika_folder / name, folder / name)
        (folder / "settings.json").write_text(json.dumps({"prediction_mode": mode}))
        return _import(folder / pipeline["file"])

    return load


@pytest.fixture(scope="session")
def minilm_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreLayout]:
    """A store with the model minilm, published as its README says; gone at the end: it is large."""
    store = tmp_path_factory.mktemp("minilm") / "store"
    command = commands_of("minilm")[0]
    assert command.startswith("make sync-model ")
    # STORE: elsewhere than in this checkout.
    done = subprocess.run(
        [*shlex.split(command), f"STORE={store}"],
        cwd=MODEL.parents[1],
        env=outer_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    yield StoreLayout(store)
    shutil.rmtree(store)


def commands_of(model: str) -> list[str]:
    """The commands in a shipped model's README, in order."""
    text = (MODEL.parent / model / "README.md").read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]
