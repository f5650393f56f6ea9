"""The shipped model magika: built once where it is missing, its pipeline in any prediction mode."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

MODEL = Path(__file__).resolve().parents[2] / "models" / "magika"


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
