from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra import synth
from infra.bundling.cached_folder import Built
from infra.bundling.function_code import REPOSITORY
from infra.bundling.layer import LIMIT_BYTES

if TYPE_CHECKING:
    from pathlib import Path

    from infra.bundling.assets import Assets


@pytest.fixture
def with_stand_ins(assets: Assets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the stand-ins' few bytes where 200 MB of wheels would be built."""
    monkeypatch.setattr(synth, "build_assets", lambda *_: assets)


def test_a_wrong_stage_is_one_line_at_once() -> None:
    """Before CDK is loaded, which takes seconds."""
    program = (
        "import sys; from infra.synth import main; code = main(['--stage', 'nosuch']); "
        "sys.exit(code + 10 * ('aws_cdk' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert "nosuch.toml is missing: stages that have a file: dev, prod" in line


@pytest.mark.usefixtures("with_stand_ins")
def test_it_says_what_it_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synth, "find_interpreter", lambda *_: None)
    out = tmp_path / "assembly"
    assert synth.main(["--stage", "dev", "--out", str(out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    template = out / "coldpress-dev.template.json"
    assert lines[0] == "for Python 3.13 on x86_64-manylinux_2_28"
    assert lines[1].startswith("no bytecode, so slower cold starts: no Python 3.13 is here")
    assert [line.split(":")[0] for line in lines[2:-1]] == [
        "runtime layer",
        "writer layer",
        "predict function",
        "batch function",
        "sync function",
    ]
    assert all(line.endswith("MB unzipped of 250.0 MB") for line in lines[4:-1])
    assert lines[-1].startswith(f"{template}: ")
    assert lines[-1].endswith(" resources, no unexplained finding")
    assert template.is_file()


@pytest.mark.usefixtures("with_stand_ins")
def test_it_builds_for_the_python_that_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    asked = ["--stage", "dev", "--python", running, "--out", str(tmp_path / "assembly")]
    assert synth.main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"for Python {running} on x86_64-manylinux_2_28"
    assert lines[1] == f"bytecode by {sys.executable}"
    template = (tmp_path / "assembly" / "coldpress-dev.template.json").read_text("utf-8")
    assert f'"Runtime": "python{running}"' in template


@pytest.mark.usefixtures("with_stand_ins")
def test_the_same_stage_is_the_same_assembly_and_nothing_of_an_older_one_stays(
    tmp_path: Path,
) -> None:
    out = tmp_path / "assembly"
    contents = []
    for _ in range(2):
        assert synth.main(["--stage", "dev", "--out", str(out)]) == 0
        contents.append(
            {
                path.relative_to(out): path.read_bytes()
                for path in out.rglob("*")
                if path.is_file() and path.name != "validation-report.json"
            }
        )
        (out / "asset.of.an.older.layer").touch()
    assert contents[0] == contents[1]


@pytest.mark.usefixtures("with_stand_ins")
def test_a_folder_that_holds_other_things_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("ten years")
    assert synth.main(["--stage", "dev", "--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        f"error: {tmp_path} holds no cloud assembly but other files: name another --out\n"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("with_stand_ins")
def test_a_folder_that_cannot_be_written_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert synth.main(["--stage", "dev", "--out", str(tmp_path / "file" / "assembly")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {tmp_path}/file/assembly cannot be written: ")


def test_what_lambda_would_refuse_is_refused_before_anything_is_written(
    assets: Assets,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    too_large = replace(assets, writer=Built(assets.writer.folder, LIMIT_BYTES))
    monkeypatch.setattr(synth, "build_assets", lambda *_: too_large)
    assert synth.main(["--stage", "dev", "--out", str(tmp_path / "assembly")]) == 1
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the batch function is 250.")
    assert "writer layer 250.0 MB" in line
    assert not (tmp_path / "assembly").exists()


def test_a_stage_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        synth.main([])
    assert ended.value.code == 2
    assert "--stage" in capsys.readouterr().err
