"""The folder that MLServer is started in: settings, and a model for each thing that is asked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.conformance.protocol.tensors import DATATYPES

RUNTIME = Path(__file__).with_name("runtime.py")
PORTS = ("http_port", "grpc_port", "metrics_port")


def write_models(folder: Path, ports: tuple[int, ...]) -> None:
    """Write what `mlserver start` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(RUNTIME, folder / "runtime.py")
    settings: dict[str, Any] = dict(zip(PORTS, ports, strict=True))
    settings |= {"host": "127.0.0.1", "parallel_workers": 0, "debug": False}
    _write(folder / "settings.json", settings)
    for datatype in DATATYPES:
        _model(folder, f"identity-{datatype.lower()}", datatype, [-1, -1, -1])
    _model(folder, "identity-scalar", "FP32", [])
    _model(folder, "identity-row", "FP32", [-1])
    _model(folder, "identity-pair", "FP32", [-1, -1], names=("a", "b"))
    for version in ("1", "2"):
        _model(folder, "identity-two", "FP32", [-1, 2], version=version, versions=("1", "2"))


def _model(
    folder: Path,
    name: str,
    datatype: str,
    shape: list[int],
    *,
    names: tuple[str, ...] = ("x",),
    version: str = "1",
    versions: tuple[str, ...] = ("1",),
) -> None:
    def tensors(side: str) -> list[dict[str, Any]]:
        return [{"name": f"{each}_{side}", "datatype": datatype, "shape": shape} for each in names]

    settings = {
        "name": name,
        "platform": "numpy_identity",
        "versions": versions,
        "implementation": "runtime.Identity",
        "inputs": tensors("in"),
        "outputs": tensors("out"),
        "parameters": {"version": version},
    }
    place = folder / f"{name}-{version}"
    place.mkdir()
    _write(place / "model-settings.json", settings)


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, indent=1) + "\n")
