from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from model_sync.builder import missing_outputs, run_build
from model_sync.errors import BuildError
from model_sync.recipe import Build

if TYPE_CHECKING:
    from pathlib import Path

BUILD = Build("build.py", ("out/model.onnx", "words.txt"))
MAKE = """\
import pathlib
pathlib.Path("out").mkdir(exist_ok=True)
pathlib.Path("out/model.onnx").touch()
pathlib.Path("words.txt").touch()
"""


def _write(folder: Path, script: str, name: str = "build.py") -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(script)


def test_outputs_that_are_no_files_are_missing(tmp_path: Path) -> None:
    assert missing_outputs(tmp_path, BUILD) == ("out/model.onnx", "words.txt")
    (tmp_path / "words.txt").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.onnx").write_bytes(b"")
    assert missing_outputs(tmp_path, BUILD) == ("words.txt",)


def test_a_script_makes_its_outputs(tmp_path: Path) -> None:
    _write(tmp_path, MAKE)
    run_build(tmp_path, BUILD)
    assert missing_outputs(tmp_path, BUILD) == ()


def test_a_script_may_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    _write(tmp_path, MAKE, "tools/build.py")
    run_build(tmp_path, Build("tools/build.py", BUILD.outputs))
    assert missing_outputs(tmp_path, BUILD) == ()


@pytest.mark.usefixtures("typed")
def test_a_script_runs_in_the_models_folder_with_this_python_and_nothing_to_read(
    tmp_path: Path,
) -> None:
    tell = "import json, os, sys; json.dump([os.getcwd(), sys.executable, sys.stdin.read()]"
    _write(tmp_path, f'{tell}, open("told.json", "w"))')
    run_build(tmp_path, Build("build.py", ("told.json",)))
    assert json.loads((tmp_path / "told.json").read_text()) == [str(tmp_path), sys.executable, ""]


def test_a_script_runs_where_the_folder_is_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "model", MAKE)
    folder = (tmp_path / "model").relative_to(tmp_path)
    run_build(folder, BUILD)
    assert missing_outputs(folder, BUILD) == ()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; sys.exit('error: no registry here')", "failed: no registry here"),
        ("import sys; sys.exit('first\\nlast')", "failed: last"),
        ("raise ValueError('told at length')", "failed: ValueError: told at length"),
        ("print('one'); print('two'); raise SystemExit(3)", "failed: two"),
        ("print('out'); import sys; sys.exit('err')", "failed: err"),
        ("raise SystemExit(3)", "failed: exit code 3"),
        ("import sys; sys.stderr.write('\\n \\n'); sys.exit(4)", "failed: exit code 4"),
        ("import os; os.kill(os.getpid(), 9)", "failed: exit code -9"),
        (
            "import sys; sys.stderr.buffer.write(b'not \\xff text'); sys.exit(1)",
            "failed: not \ufffd text",
        ),
        ("this is no Python", "failed: SyntaxError"),
    ],
)
def test_the_last_line_of_a_script_that_failed_is_the_reason(
    tmp_path: Path, script: str, reason: str
) -> None:
    _write(tmp_path, script)
    with pytest.raises(BuildError, match=reason) as caught:
        run_build(tmp_path, BUILD)
    assert str(caught.value).startswith(str(tmp_path / "build.py"))
    assert len(str(caught.value).splitlines()) == 1


def test_what_a_script_prints_is_not_shown_when_it_works(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, "import sys; print('out'); print('err', file=sys.stderr)\n" + MAKE)
    run_build(tmp_path, BUILD)
    assert capfd.readouterr() == ("", "")


def test_a_script_that_leaves_out_an_output_is_told_so(tmp_path: Path) -> None:
    _write(tmp_path, "open('words.txt', 'w')")
    with pytest.raises(BuildError, match=r"build\.py ended without making out/model\.onnx$"):
        run_build(tmp_path, BUILD)


@pytest.mark.parametrize("there", ["nothing", "a folder"])
def test_a_script_that_is_missing_is_named(tmp_path: Path, there: str) -> None:
    if there == "a folder":
        (tmp_path / "build.py").mkdir()
    with pytest.raises(BuildError, match=r"build\.py is missing: model\.toml names it"):
        run_build(tmp_path, BUILD)
