"""`python -m inference`: exit codes, help, and `predict`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.inference.forked_commands import run_forked
from tests.support.commands import run
from tests.support.stores import publish_adder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "input.txt"
    path.write_text("héllo")
    return path


def test_predict_prints_the_answer_as_json_that_a_person_can_read(
    surface_store: Path, file: Path
) -> None:
    ended = run("predict", "echo", file, "--store", surface_store)
    assert (ended.code, ended.err) == (0, "")
    answer = json.loads(ended.out)
    assert answer["content_type"] == "text/plain"
    assert answer["body"] == "aMOpbGxv"
    assert ended.out == json.dumps(answer, indent=2, ensure_ascii=False) + "\n"


def test_predict_finds_the_store_by_its_variable(surface_store: Path, file: Path) -> None:
    ended = run_forked("predict", "echo", file, env={"STORE_PATH": str(surface_store)})
    assert ended.code == 0


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ("nosuch", "no model is named 'nosuch'"),
        ("No Such", "'No Such' is refused"),
        ("adder", "model 'adder' has no pipeline"),
        ("broken", "is damaged"),
    ],
)
def test_predict_says_why_it_failed_in_one_line(
    surface_store: Path, file: Path, model: str, said: str
) -> None:
    ended = run_forked("predict", model, file, "--store", surface_store)
    assert ended.code == 1
    assert said in ended.error


def test_predict_says_what_a_pipeline_raised_and_where(tmp_path: Path, file: Path) -> None:
    code = "def decode(request):\n    return {}['x']\ndef encode(outputs, request):\n    return 1\n"
    publish_adder(tmp_path / "store", 1, pipeline=code)
    ended = run_forked("predict", "adder", file, "--store", tmp_path / "store")
    assert ended.code == 1
    said = "pipeline.py failed in decode(): KeyError: 'x' (pipeline.py, line 2)"
    assert ended.error == said


def test_predict_names_a_file_that_is_not_there(surface_store: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.png"
    ended = run_forked("predict", "echo", missing, "--store", surface_store)
    assert ended.code == 1
    assert ended.error == f"{missing}: No such file or directory"


def test_predict_refuses_a_file_over_the_limit(surface_store: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.bin"
    large.write_bytes(b"x" * 5_000_000)
    ended = run_forked("predict", "echo", large, "--store", surface_store)
    assert ended.code == 1
    assert "Lambda takes at most" in ended.error


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("predict", "echo", __file__)])
def test_a_missing_store_is_out_of_reach(tmp_path: Path, command: tuple[str, ...]) -> None:
    for flags in ([], ["--debug"]):
        ended = run_forked(*command, "--store", tmp_path / "nowhere", *flags)
        assert ended.code == 3
        assert f"there is no store at {tmp_path / 'nowhere'}" in ended.error
        assert "make sync-model" in ended.error


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("predict", "echo", __file__)])
def test_a_damaged_store_fails_in_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "STORE.json").write_text("{}")
    ended = run_forked(*command, "--store", tmp_path)
    assert ended.code == 1
    assert "STORE.json" in ended.error


def test_debug_shows_where_a_command_failed(surface_store: Path, tmp_path: Path) -> None:
    ended = run_forked("predict", "echo", tmp_path / "missing", "--store", surface_store, "--debug")
    assert ended.code == 1
    assert "Traceback (most recent call last)" in ended.err
    assert ended.out == ""


def test_debug_shows_what_is_logged(surface_store: Path, file: Path) -> None:
    for flags, shown in ([], False), (["--debug"], True):
        ended = run_forked("predict", "broken", file, "--store", surface_store, *flags)
        assert ended.code == 1
        assert ("a version failed to load" in ended.err) == shown
        assert ended.out == ""


@pytest.mark.parametrize(
    ("name", "value"), [("REF_TTL_S", "soon"), ("REF_TTL_S", "-1"), ("DEFAULT_MODEL", "No Such")]
)
def test_a_wrong_variable_is_named(surface_store: Path, name: str, value: str) -> None:
    ended = run_forked("serve", "--port", "0", "--store", surface_store, env={name: value})
    assert ended.code == 1
    assert ended.error.startswith(name)


USAGE: list[list[str]] = [
    [],
    ["nosuch"],
    ["serve", "--port", "x"],
    ["serve", "--port", "65536"],
    ["serve", "--port", "-1"],
    ["serve", "--threads", "٣", "--store", "/nowhere"],
    ["serve", "--threads", "0"],
    ["serve", "--threads", "257"],
    ["serve", "--threads", "2.5"],
    ["serve", "--nosuch"],
    ["serve", "extra"],
    ["predict"],
    ["predict", "echo"],
    ["predict", "echo", "a", "b"],
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_a_wrong_argument_is_a_usage_error(arguments: list[str]) -> None:
    ended = run_forked(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "usage: python -m inference" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--help"],
            ["serve", "predict", "run", "Exit codes: 0 done, 1 failed, 2 usage, 3 the store"],
        ),
        (
            ["serve", "--help"],
            [
                "--store",
                "--debug",
                "--port",
                "--model",
                "--threads",
                "8080",
                "STORE_PATH",
                "Ctrl-C",
            ],
        ),
        (["run", "--help"], ["MODEL", "--set", "-c CODE", "-m MODULE", "--store", "script's own"]),
        (["predict", "--help"], ["NAME", "FILE", "--store", "--debug", "Exit codes"]),
    ],
)
def test_help_names_every_option(arguments: list[str], said: list[str]) -> None:
    ended = run_forked(*arguments)
    assert (ended.code, ended.err) == (0, "")
    assert [word for word in said if word not in ended.out] == []
