from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from model_sync.errors import BuildError
from model_sync.publishing.build_script import missing_outputs, run_build
from model_sync.sources.recipe import Build
from tests.support.models import write_adder
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.model_sync.conftest import Publish

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


NEEDS_ALPHA = Build("build.py", ("told.json",), "pins/build.txt")
TELL_OF_ALPHA = """\
import json
import alpha
open("told.json", "w").write(json.dumps([alpha.__file__, alpha.WHOSE]))
"""


def _alpha(whose: str) -> dict[str, str]:
    return {"alpha.py": f"WHOSE = {whose!r}\n"}


@pytest.fixture
def model(tmp_path: Path, wheels: Path) -> Path:
    """A model whose script needs alpha: in the registry, pinned, and not installed."""
    folder = tmp_path / "model"
    _write(folder, TELL_OF_ALPHA)
    (folder / "pins").mkdir()
    wheel = write_wheel(wheels, "alpha", files=_alpha("the wheel's"))
    write_requirements(folder / "pins" / "build.txt", wheel)
    return folder


def _told(folder: Path) -> tuple[str, str]:
    file, whose = json.loads((folder / "told.json").read_text())
    return file, whose


def test_a_script_imports_what_its_requirements_pin_and_it_is_gone_afterwards(
    model: Path,
) -> None:
    run_build(model, NEEDS_ALPHA)
    file, whose = _told(model)
    assert whose == "the wheel's"
    assert file.endswith("site-packages/alpha.py")
    assert not Path(file).exists()
    names = {path.name for path in model.rglob("*")}
    assert names == {"build.py", "pins", "build.txt", "told.json"}


def test_what_requirements_pin_is_found_before_what_was_there(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "installed", _alpha("another")["alpha.py"], "alpha.py")
    _write(tmp_path / "installed", "", "beta.py")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "installed"))
    _write(model, "import beta\n" + TELL_OF_ALPHA)
    run_build(model, NEEDS_ALPHA)
    assert _told(model)[1] == "the wheel's"


def test_a_script_that_fails_leaves_nothing_of_its_requirements(model: Path) -> None:
    _write(model, TELL_OF_ALPHA + "raise SystemExit('error: no luck')")
    with pytest.raises(BuildError, match=r"build\.py failed: no luck$"):
        run_build(model, NEEDS_ALPHA)
    assert not Path(_told(model)[0]).exists()


def test_requirements_are_found_where_the_folder_is_relative(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model.parent)
    run_build(model.relative_to(model.parent), NEEDS_ALPHA)
    assert _told(model)[1] == "the wheel's"


def test_a_script_without_requirements_finds_none(model: Path) -> None:
    with pytest.raises(BuildError, match="No module named 'alpha'"):
        run_build(model, Build("build.py", ("told.json",)))


def _another_wheel(model: Path, wheels: Path) -> None:
    write_wheel(wheels, "alpha", files=_alpha("a stranger's"))


def _no_wheel(model: Path, wheels: Path) -> None:
    (wheels / "alpha-1.0-py3-none-any.whl").unlink()


def _no_hash(model: Path, wheels: Path) -> None:
    (model / "pins" / "build.txt").write_text("alpha==1.0\n")


def _no_file(model: Path, wheels: Path) -> None:
    (model / "pins" / "build.txt").unlink()


def _no_record(model: Path, wheels: Path) -> None:
    wheel = write_wheel(wheels, "alpha", record=False)
    write_requirements(model / "pins" / "build.txt", wheel)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_another_wheel, "a wheel does not match its hash: alpha==1.0"),
        (_no_wheel, "pip finds no package alpha"),
        (_no_hash, "every requirement needs a pinned version and its hashes"),
        (_no_file, r"pins/build\.txt is missing"),
        (_no_record, "alpha-1.0-py3-none-any.whl cannot be unpacked: "),
    ],
)
def test_a_script_whose_requirements_cannot_be_got_is_not_run(
    model: Path, wheels: Path, spoil: Callable[[Path, Path], None], reason: str
) -> None:
    spoil(model, wheels)
    with pytest.raises(BuildError, match=rf"build\.py cannot be run: .*{reason}") as caught:
        run_build(model, NEEDS_ALPHA)
    assert len(str(caught.value).splitlines()) == 1
    assert not (model / "told.json").exists()


def test_requirements_are_got_only_where_an_output_is_missing(
    model: Path, wheels: Path, publish_to: Publish
) -> None:
    write_adder(model, 1.0)
    (model / "model.toml").write_text(
        "[model]\nfile = 'model.onnx'\n[build]\nscript = 'build.py'\n"
        "outputs = ['told.json']\nrequirements = 'pins/build.txt'\n"
    )
    assert publish_to(model).created
    _no_wheel(model, wheels)
    assert not publish_to(model).created
    (model / "told.json").unlink()
    with pytest.raises(BuildError, match="pip finds no package"):
        publish_to(model)
