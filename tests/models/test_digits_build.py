"""Training digits again gives the same bytes, and scikit-learn's answers are those committed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model_sync.publishing.build_script import _environ
from model_sync.publishing.publish import read_folder
from tests.models.digits import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environ() -> Iterator[Mapping[str, str]]:
    """Interpreter and packages of the build script; installed once for all its runs here."""
    _, recipe = read_folder(MODEL, name=None)
    assert recipe.build
    with _environ(MODEL, recipe.build) as environ:
        yield environ


def run(script: str, folder: Path, environ: Mapping[str, str], *arguments: str) -> None:
    """Run a script of a copy of the model, made in `folder`, with nothing built."""
    copy = folder / "digits"
    shutil.copytree(MODEL, copy, ignore=shutil.ignore_patterns("build", "golden"))
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", str(copy / script), *arguments],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_another_training_on_this_machine_writes_the_same_bytes(
    tmp_path: Path, environ: Mapping[str, str]
) -> None:
    built = []
    # One processor, then all of them.
    for number, threads in enumerate(("1", str(os.cpu_count()))):
        run("build.py", tmp_path / str(number), {**environ, "OPENBLAS_NUM_THREADS": threads})
        folder = tmp_path / str(number) / "digits" / "build"
        built.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert built[0] == built[1]
    assert built[0].keys() == {"first.onnx", "second.onnx"}
    assert built[0]["first.onnx"] != built[0]["second.onnx"]


def test_scikit_learn_answers_what_is_committed(tmp_path: Path, environ: Mapping[str, str]) -> None:
    run("make_golden.py", tmp_path, environ, str(tmp_path / "golden"))
    written = sorted(path for path in (tmp_path / "golden").rglob("*") if path.is_file())
    committed = sorted(path for path in (MODEL / "golden").rglob("*") if path.is_file())
    assert len(written) == len(committed) == 20
    for ours, theirs in zip(written, committed, strict=True):
        assert ours.relative_to(tmp_path / "golden") == theirs.relative_to(MODEL / "golden")
        if ours.name == "request.json":
            assert ours.read_bytes() == theirs.read_bytes()
        else:
            assert nearly_equal(json.loads(ours.read_bytes()), json.loads(theirs.read_bytes()))


def nearly_equal(one: object, other: object) -> bool:
    """Return True if two answers name the same digits, with probabilities equal to 1e-6."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(nearly_equal, one, other))
    assert isinstance(one, dict)
    assert isinstance(other, dict)
    np.testing.assert_allclose(one["probabilities"], other["probabilities"], rtol=0, atol=1e-6)
    return bool(one["digit"] == other["digit"])
