"""Errors on the command line: one line without a traceback, a code for scripts, an exit code."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from model_sync.__main__ import main
from tests.model_sync.command_line import run
from tests.model_sync.failing_folders import FAILING
from tests.support.model_folders import write_bare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


CODES = {
    "recipe": "recipe",
    "build fails": "build",
    "missing model": "source",
    "not ONNX": "inspection",
    "golden wrong": "trial",
}


@pytest.mark.parametrize(("case", "code"), CODES.items(), ids=CODES)
def test_what_is_refused_has_a_code_and_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str, code: str
) -> None:
    write, _, reason = FAILING[case]
    write(tmp_path / "adder")
    arguments = ["publish", str(tmp_path / "adder"), "--store", str(tmp_path / "store"), "--quiet"]
    assert main(arguments) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(f"error: .*{reason}.*\n", err)
    assert main([*arguments, "--json"]) == 1
    out, nothing = capsys.readouterr()
    assert nothing == ""
    assert json.loads(out) == {"error": {"code": code, "message": err[len("error: ") : -1]}}


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["plain", "json"])
def test_a_refusal_is_one_line_without_a_traceback_and_exit_code_1(
    tmp_path: Path, options: list[str]
) -> None:
    FAILING["not ONNX"][0](tmp_path / "adder")
    done = run("publish", "adder", "--store", "store", "--quiet", *options, cwd=tmp_path)
    assert done.code == 1
    told, silent = (done.out, done.err) if options else (done.err, done.out)
    assert silent == ""
    assert len(told.splitlines()) == 1
    assert "is not an ONNX model" in told


def _stranger(root: Path) -> None:
    (root / "photos").mkdir(parents=True)


def _file(root: Path) -> None:
    root.write_text("")


def _damaged(root: Path) -> None:
    root.mkdir()
    (root / "STORE.json").write_text("{}")


def _newer(root: Path) -> None:
    root.mkdir()
    (root / "STORE.json").write_text(json.dumps({"format": 2}))


@pytest.mark.parametrize(
    ("make", "verb", "exit_code", "code"),
    [
        (lambda _: None, "list", 3, "unreachable"),
        (_stranger, "list", 3, "unreachable"),
        (_stranger, "publish", 3, "unreachable"),
        (_file, "list", 3, "unreachable"),
        (_file, "publish", 3, "unreachable"),
        (_damaged, "list", 1, "store"),
        (_damaged, "publish", 1, "store"),
        (_newer, "list", 1, "store"),
        (_newer, "publish", 1, "store"),
    ],
)
def test_a_wrong_store_is_one_line_and_an_exit_code(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    make: Callable[[Path], None],
    verb: str,
    exit_code: int,
    code: str,
) -> None:
    root = tmp_path / "root"
    make(root)
    folder = [str(write_bare(tmp_path / "adder"))] if verb == "publish" else []
    before = sorted(tmp_path.rglob("*"))
    assert main([verb, *folder, "--store", str(root), "--json"]) == exit_code
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert error["code"] == code
    assert str(root) in error["message"]
    assert "\n" not in error["message"]
    assert err == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_that_cannot_be_reached_is_exit_code_3(tmp_path: Path) -> None:
    done = run("list", "--store", tmp_path / "missing")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith(f"error: there is no store at {tmp_path}")
    assert len(done.err.splitlines()) == 1


def test_what_nobody_thought_of_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    path = "no\0path"
    assert main(["list", "--store", path, "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    with pytest.raises(ValueError, match="null") as python_says:
        os.open(path, os.O_RDONLY)
    message = str(python_says.value)
    assert json.loads(out) == {"error": {"code": "internal", "message": message}}


@pytest.mark.parametrize("verb", [["publish", "adder"], ["promote", "adder", "1"]])
@pytest.mark.parametrize(
    ("text", "reason"), [("\udcff", "is not UTF-8 text"), ("a" * 1025, "it is longer than 1024")]
)
def test_a_reason_that_no_history_can_hold_is_refused(
    capsys: pytest.CaptureFixture[str], verb: list[str], text: str, reason: str
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main([*verb, "--reason", text])
    assert reason in capsys.readouterr().err
