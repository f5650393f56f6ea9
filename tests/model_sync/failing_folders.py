"""Folders of which no version can be made, each for a reason of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from onnx import TensorProto

from model_sync.errors import (
    BuildError,
    InspectionError,
    RecipeError,
    SourceError,
    TrialError,
)
from tests.model_sync import awkward_models as awkward
from tests.support.model_folders import RECIPE, write_bare, write_full
from tests.support.models import write_adder, write_external_adder, write_identity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _no_recipe(folder: Path) -> None:
    (write_bare(folder) / "model.toml").write_text("[modle]\nfile = 'model.onnx'\n")


def _no_model(folder: Path) -> None:
    folder.mkdir()


def _two_models(folder: Path) -> None:
    write_adder(folder, 1.0)
    write_adder(folder, 2.0, name="other.onnx")


def _stranger(folder: Path) -> None:
    (write_bare(folder) / "words.txt").write_text("")


def _missing_model(folder: Path) -> None:
    folder.mkdir()
    (folder / "model.toml").write_text(RECIPE)


def _not_onnx(folder: Path) -> None:
    folder.mkdir()
    (folder / "model.onnx").write_text("not a model")


def _truncated(folder: Path) -> None:
    path = write_adder(folder, 1.0)
    path.write_bytes(path.read_bytes()[:-40])


def _not_served(folder: Path) -> None:
    write_identity(folder, TensorProto.COMPLEX64, shape=[1])


def _external_missing(folder: Path) -> None:
    write_external_adder(folder, np.ones(2), "weights.bin")
    (folder / "weights.bin").unlink()


def _external_location(location: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        (folder.parent / "outside.bin").write_bytes(bytes(8))
        awkward.write_adder_of(folder / "model.onnx", awkward.external("c", location=location))

    return write


def _external_link(folder: Path) -> None:
    write_external_adder(folder, np.ones(2), "weights.bin")
    (folder / "weights.bin").rename(folder.parent / "outside.bin")
    (folder / "weights.bin").symlink_to("../outside.bin")


def _external_too_short(folder: Path) -> None:
    write_external_adder(folder, np.ones(2), "weights.bin")
    (folder / "weights.bin").write_bytes(b"1")


def _external_is_the_graph(folder: Path) -> None:
    awkward.write_adder_of(folder / "model.onnx", awkward.external("c", location="model.onnx"))


def _pipeline_missing(folder: Path) -> None:
    (write_full(folder) / "pipeline.py").unlink()


def _pipeline_outside(folder: Path) -> None:
    write_full(folder)
    (folder / "pipeline.py").rename(folder.parent / "pipeline.py")
    (folder / "pipeline.py").symlink_to("../pipeline.py")


def _pipeline_raises(folder: Path) -> None:
    write_full(folder, pipeline="raise ValueError('no words')\n")


def _pipeline_kills(folder: Path) -> None:
    write_full(folder, pipeline="import ctypes\nctypes.string_at(0)\n")


def _golden_wrong(folder: Path) -> None:
    write_full(folder, cases={"one": ([1, 2], {"y": [9, 9]})})


def _golden_missing(folder: Path) -> None:
    (write_bare(folder) / "model.toml").write_text(RECIPE + "[golden]\nfolder = 'golden'\n")


def _golden_without_answer(folder: Path) -> None:
    (write_full(folder) / "golden" / "one" / "expected.json").unlink()


def _golden_without_request(folder: Path) -> None:
    (write_full(folder) / "golden" / "one" / "request.json").unlink()


def _golden_two_requests(folder: Path) -> None:
    (write_full(folder) / "golden" / "one" / "request.txt").write_text("")


def _golden_stray(folder: Path) -> None:
    (write_full(folder) / "golden" / "README.md").write_text("")


def _golden_deep(folder: Path) -> None:
    write_full(folder)
    (folder / "golden" / "one" / "deep").mkdir()
    (folder / "golden" / "one" / "deep" / "request.json").write_text("")


def _build(script: str | None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        folder.mkdir()
        if script is not None:
            (folder / "build.py").write_text(script)
        (folder / "model.toml").write_text(
            RECIPE + "[build]\nscript = 'build.py'\noutputs = ['model.onnx']\n"
        )

    return write


FAILING: Final[dict[str, tuple[Callable[[Path], None], type[Exception], str]]] = {
    "recipe": (_no_recipe, RecipeError, "unknown keys: .?modle"),
    "no model": (_no_model, RecipeError, "holds no .onnx file"),
    "two models": (_two_models, RecipeError, "holds 2 .onnx files"),
    "a stranger": (_stranger, RecipeError, r"holds 'words\.txt' beside its model"),
    "missing model": (_missing_model, SourceError, r"model\.onnx is missing"),
    "not ONNX": (_not_onnx, InspectionError, r"model\.onnx is not an ONNX model"),
    "truncated": (_truncated, InspectionError, r"model\.onnx is not an ONNX model"),
    "not served": (_not_served, InspectionError, "COMPLEX64, which cannot be served"),
    "external data missing": (_external_missing, SourceError, r"weights\.bin is missing"),
    "external data absolute": (
        _external_location("/etc/hostname"), InspectionError, "outside its folder: '/etc/hostname'"
    ),
    "external data above": (
        _external_location("../outside.bin"), InspectionError, "outside its folder: '../outside"
    ),
    "external data linked out": (_external_link, SourceError, r"weights\.bin leads out"),
    "external data too short": (_external_too_short, TrialError, r"cannot load model\.onnx"),
    "external data in the graph": (_external_is_the_graph, InspectionError, r"model\.onnx"),
    "pipeline missing": (_pipeline_missing, SourceError, r"pipeline\.py is missing"),
    "pipeline outside": (_pipeline_outside, SourceError, r"pipeline\.py leads out"),
    "pipeline raises": (_pipeline_raises, TrialError, "while it was loaded: no words"),
    "pipeline kills": (_pipeline_kills, TrialError, "ended its process with SIGSEGV"),
    "golden wrong": (_golden_wrong, TrialError, "case 'one' is answered wrongly"),
    "golden missing": (_golden_missing, SourceError, "golden is no folder"),
    "golden without answer": (_golden_without_answer, SourceError, r"'one' .* holds request\.json"),
    "golden without request": (_golden_without_request, SourceError, "'one' .* holds expected"),
    "golden with two requests": (_golden_two_requests, SourceError, "expected one request"),
    "golden stray": (_golden_stray, SourceError, "not in a golden case's own folder"),
    "golden deep": (_golden_deep, SourceError, "not in a golden case's own folder"),
    "build fails": (_build("import sys; sys.exit('no registry')"), BuildError, "no registry"),
    "build makes nothing": (_build(""), BuildError, "without making model.onnx"),
    "build missing": (_build(None), BuildError, r"build\.py is missing"),
    "build makes no model": (
        _build("open('model.onnx', 'w').write('x')"), InspectionError, "is not an ONNX model"
    ),
}  # fmt: skip
