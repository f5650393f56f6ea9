"""make refuses a wrong argument before it installs anything, and says what it installs."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with all that make reads before it installs anything."""
    for name in ("Makefile", "models", "requirements", "infra"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def make(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("deploy", "name the stage: make deploy STAGE=dev"),
        ("deploy STAGE=nope", "there is no stage nope: write infra/stages/nope.toml"),
        ("synth STAGE=nope", "there is no stage nope: write infra/stages/nope.toml"),
        ("sync-model MODEL=nope", "there is no folder models/nope: name one of digits magika"),
        ("promote MODEL=magika", "name the version: make promote MODEL=magika VERSION=3"),
        ("predict", "name the input: make predict MODEL=magika FILE=README.md"),
        ("predict FILE=nope.png", "there is no file nope.png"),
        ("batch INPUT=here", "name the folders: make batch MODEL=magika INPUT=dir OUTPUT=dir"),
        ("install PYTHON=nope", "there is no nope: make PYTHON=/path/to/python3.11"),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_installed(
    checkout: Path, words: str, message: str
) -> None:
    ended = make(checkout, *words.split())
    assert ended.returncode == 2
    assert ended.stderr.startswith(message)
    assert not (checkout / ".venv").exists()


def test_one_line_says_what_is_installed_and_for_how_long(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / "python.stamp").touch()
    ended = make(checkout, "install", "PIP_INSTALL=true")
    packages = (ROOT / "requirements/run.txt").read_text().count("==")
    line = f"installing {packages} packages for running models into .venv: about a minute, once\n"
    assert (ended.returncode, ended.stderr) == (0, line)
