"""ONNX Runtime would keep a device id in the home folder, and report usage to its makers."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.models import write_adder
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TELL_AT_IMPORT = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("ORT_DISABLE_TELEMETRY"))

sys.meta_path.insert(0, Watch())
import {module}
"""
LOAD = """
import pathlib, sys
from inference.loading.variant_files import VariantFiles
from inference.loading.loader import _open_session
path = pathlib.Path(sys.argv[1])
_open_session(VariantFiles(
    path.parent, path.name, (), path.parent, (), {}, optimized=False, maps_files=False
))
"""


def run(code: str, *arguments: str | Path, **environ: str) -> str:
    """Run code in a fresh process with nothing in its environment but what is given."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "STORE_PATH": "/mnt/store", **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize(
    "module",
    ["inference.predict_function", "inference.loading.loader", "model_sync.publishing.publication"],
)
def test_it_is_off_before_the_runtime_is_imported(module: str) -> None:
    assert run(TELL_AT_IMPORT.format(module=module)) == "1\n"


def test_who_sets_the_variable_is_obeyed() -> None:
    code = TELL_AT_IMPORT.format(module="inference.loading.loader")
    assert run(code, ORT_DISABLE_TELEMETRY="0") == "0\n"


def test_opening_a_session_leaves_nothing_in_the_home_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    run(LOAD, write_adder(tmp_path / "model", 1.0), HOME=str(home))
    assert list(home.iterdir()) == []
