"""Models whose pipelines import from a package set, made of real wheels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tests.support.models import write_adder
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

MODEL: Final = "greeter"

RECIPE: Final = """\
[model]
file = "model.onnx"
[pipeline]
file = "pipeline.py"
[golden]
folder = "golden"
[packages]
requirements = "requirements.txt"
"""

PIPELINE: Final = """\
import json

import numpy
import {package}


def decode(request):
    return {{"x": numpy.array([json.loads(request.body)], numpy.float32)}}


def encode(outputs, request):
    return {package}.GREETING
"""


def write_greeter(
    folder: Path, wheels: Path, package: str, *, version: str = "1.0", constant: float = 1.0
) -> Path:
    """A model that answers with what a package of this version says; its wheel is written too."""
    greeting = f"{package} {version}"
    wheel = write_wheel(
        wheels, package, version=version, files={f"{package}.py": f"GREETING = {greeting!r}\n"}
    )
    write_adder(folder, constant)
    write_requirements(folder / "requirements.txt", wheel)
    (folder / "pipeline.py").write_text(PIPELINE.format(package=package))
    case = folder / "golden" / "one"
    case.mkdir(parents=True, exist_ok=True)
    (case / "request.json").write_text("[1, 2]")
    (case / "expected.json").write_text(json.dumps(greeting))
    (folder / "model.toml").write_text(RECIPE)
    return folder
