"""Folders of models that can be published, as a person would lay them out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from tests.support.models import write_adder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PIPELINE: Final = """\
import json

import numpy


def decode(request):
    return {"x": numpy.array([json.loads(request.body)], numpy.float32)}


def encode(outputs, request):
    return {"y": outputs["y"][0].tolist()}
"""

RECIPE: Final = """\
[model]
file = "model.onnx"
"""

PIPELINE_TABLE: Final = """\
[pipeline]
file = "pipeline.py"
"""

GOLDEN_TABLE: Final = """\
[golden]
folder = "golden"
"""


def write_bare(folder: Path, constant: float = 1.0) -> Path:
    """A folder with a model and nothing else."""
    write_adder(folder, constant)
    return folder


def write_full(
    folder: Path,
    constant: float = 1.0,
    *,
    pipeline: str = PIPELINE,
    cases: Mapping[str, tuple[Any, Any]] | None = None,
    more: str = "",
) -> Path:
    """A model with a pipeline and golden cases, {name: (request, expected answer)}."""
    write_adder(folder, constant)
    (folder / "pipeline.py").write_text(pipeline)
    (folder / "golden").mkdir(exist_ok=True)
    if cases is None:
        cases = {"one": ([1.0, 2.0], {"y": [1.0 + constant, 2.0 + constant]})}
    for name, (request, expected) in cases.items():
        (folder / "golden" / name).mkdir(exist_ok=True)
        (folder / "golden" / name / "request.json").write_text(json.dumps(request))
        (folder / "golden" / name / "expected.json").write_text(json.dumps(expected))
    (folder / "model.toml").write_text(RECIPE + PIPELINE_TABLE + GOLDEN_TABLE + more)
    return folder
