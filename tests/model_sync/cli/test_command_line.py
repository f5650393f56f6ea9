"""`python -m model_sync`: what it prints where, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from model_store.layout import StoreLayout
from model_store.reading import refresh
from model_sync.__main__ import main
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.command_line import run
from tests.support.model_folders import write_bare, write_full

if TYPE_CHECKING:
    from pathlib import Path

PUBLISHED = {"model", "version", "digest", "created", "labels", "generation", "variant"}


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two versions of one model, which no test here changes."""
    root = tmp_path_factory.mktemp("published")
    for constant in (1.0, 2.0):
        publish(write_full(root / "adder", constant), root / "store", progress=Silent())
    return root / "store"


def test_publishing_prints_one_line_and_tells_how_far_it_is_on_stderr(tmp_path: Path) -> None:
    folder = write_full(tmp_path / "adder")
    first = run("publish", folder, "--store", tmp_path / "store", "--reason", "because")
    assert (first.code, first.out) == (0, "published adder version 1 (latest)\n")
    steps = [line.split(" (")[0] for line in first.err.splitlines()]
    assert steps == [
        "copying model.onnx",
        "copying the pipeline",
        "copying 1 golden case",
        "inspecting the model",
        "trying it: loading, and 1 golden case",
    ]
    refs = refresh(StoreLayout(tmp_path / "store"), "adder", None).refs
    assert refs.change.reason == "because"
    again = run("publish", folder, "--store", tmp_path / "store", "--quiet")
    assert again == (0, "unchanged: adder version 1 (latest)\n", "")


def test_publishing_an_older_version_again_says_that_it_was_updated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "store"
    for constant in (1.0, 2.0):
        publish(write_bare(tmp_path / "adder", constant), root, progress=Silent())
    folder = write_bare(tmp_path / "adder", 1.0)
    assert main(["publish", str(folder), "--store", str(root), "--quiet"]) == 0
    assert capsys.readouterr() == ("updated adder version 1 (latest)\n", "")


def test_json_is_one_object_on_stdout_and_progress_is_not_in_it(tmp_path: Path) -> None:
    folder = write_bare(tmp_path / "folder")
    done = run("publish", folder, "--store", tmp_path / "store", "--json", "--name", "adder")
    assert done.code == 0
    assert set(done.json) == PUBLISHED
    assert done.json["model"] == "adder"
    assert done.json["labels"] == ["latest"]
    assert (done.json["version"], done.json["created"]) == (1, True)
    assert len(done.out.splitlines()) == 1
    assert "copying" in done.err


def test_paths_are_meant_from_where_the_command_is_run(tmp_path: Path) -> None:
    write_bare(tmp_path / "adder")
    done = run("publish", "adder", "--store", "made", "--quiet", cwd=tmp_path)
    assert done == (0, "published adder version 1 (latest)\n", "")
    assert run("list", "--store", "made", "--json", cwd=tmp_path).json["models"]


@pytest.mark.parametrize(
    ("options", "variable", "meant"),
    [
        (["--store", "by-option"], "by-environment", "by-option"),
        ([], "by-environment", "by-environment"),
        ([], "", ".store"),
        ([], None, ".store"),
    ],
)
def test_the_store_is_the_options_else_the_environments_else_one_here(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    variable: str | None,
    meant: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STORE_PATH", raising=False)
    if variable is not None:
        monkeypatch.setenv("STORE_PATH", variable)
    assert main(["list", *options]) == 3
    assert capsys.readouterr().err.startswith(f"error: there is no store at {meant}: ")


def test_listing_is_a_table_with_the_newest_first(two_versions: Path) -> None:
    done = run("list", "--store", two_versions)
    rows = [line.split() for line in done.out.splitlines()]
    assert (done.code, done.err) == (0, "")
    assert rows[0] == ["MODEL", "VERSION", "LABELS", "STATE", "SIZE", "PUBLISHED"]
    assert rows[1][:4] == ["adder", "2", "latest", "available"]
    assert rows[2][:3] == ["adder", "1", "available"]
    assert len(rows) == 3


def test_listing_as_json_is_one_object(
    two_versions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--store", str(two_versions), "--json"]) == 0
    out, err = capsys.readouterr()
    (model,) = json.loads(out)["models"]
    assert set(model) == {"name", "generation", "labels", "split", "versions"}
    assert [version["version"] for version in model["versions"]] == [1, 2]
    assert (len(out.splitlines()), err) == (1, "")


def test_listing_an_empty_store_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "STORE.json").write_text('{"format": 1, "id": "x"}')
    assert main(["list", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr() == (f"nothing is published in {tmp_path}\n", "")
    assert main(["list", "--store", str(tmp_path), "--json"]) == 0
    assert capsys.readouterr() == ('{"models": []}\n', "")
