"""`--stage`: the verbs that a store here has, of a stage's store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model_store.package_set import Target
from model_sync.__main__ import main
from model_sync.package_sets.runtime_packages import installed_runtime
from tests.model_sync.command_line import run
from tests.model_sync.sync_job.buckets import Bucket, write_model
from tests.model_sync.sync_job.lambda_client import Answering, response
from tests.support.wheels import write_requirements, write_wheel

if TYPE_CHECKING:
    from pathlib import Path

    from tests.model_sync.sync_job.cloud import Cloud

PUBLISHED = {"model", "version", "digest", "created", "labels", "generation", "variant"}
DEV = ["--stage", "dev", "--quiet"]


def test_a_folder_is_published_and_told_as_of_a_store_here(
    dev: Cloud, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(write_model(tmp_path / "adder"))
    assert main(["publish", folder, *DEV]) == 0
    assert capsys.readouterr() == ("published adder version 1 (latest)\n", "")
    assert main(["publish", folder, *DEV, "--json"]) == 0
    out, err = capsys.readouterr()
    assert (set(json.loads(out)), err, len(out.splitlines())) == (PUBLISHED, "", 1)
    assert main(["list", *DEV]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["MODEL", "VERSION", "LABELS", "STATE", "SIZE", "PUBLISHED"]
    assert rows[1][:4] == ["adder", "1", "latest", "available"]
    assert main(["list", *DEV, "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert set(model) == {"name", "generation", "labels", "split", "versions"}


def test_a_process_of_its_own_publishes_and_tells_how_far_it_is(
    dev: Cloud, s3_port: int, bucket: Bucket, tmp_path: Path
) -> None:
    write_model(tmp_path / "adder")
    url = bucket.put_folder(tmp_path / "adder", "adder")
    environment = dev.environment(s3_port)
    done = run("publish", "adder", "--stage", "dev", cwd=tmp_path, **environment)
    assert (done.code, done.out) == (0, "published adder version 1 (latest)\n")
    steps = [line.split(" (")[0] for line in done.err.splitlines()]
    here = [
        step
        for step in steps
        if step.startswith(("inspecting", "trying the model here", "uploading"))
    ]
    # The function's progress is polled: which of its steps are seen depends on timing.
    assert [step for step in here if not step.startswith("inspecting")] == [
        "trying the model here",
        "uploading 4 of 4 files",
    ]
    assert here[0] == "inspecting the model"
    assert not (tmp_path / ".store").exists()
    again = run("publish", url, *DEV, "--json", cwd=tmp_path, **environment)
    assert (again.code, again.err) == (0, "")
    assert (again.json["version"], again.json["created"]) == (1, False)


@pytest.mark.parametrize(
    ("verb", "line", "as_json"),
    [
        (["list"], "nothing is published in stage dev\n", {"models": []}),
        (["packages", "list"], "no package set is published in stage dev\n", {"packages": []}),
    ],
)
def test_a_store_with_nothing_in_it_says_so(
    dev: Cloud,
    capsys: pytest.CaptureFixture[str],
    verb: list[str],
    line: str,
    as_json: dict[str, Any],
) -> None:
    assert main([*verb, *DEV]) == 0
    assert capsys.readouterr() == (line, "")
    assert main([*verb, *DEV, "--json"]) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (as_json, "")


def test_package_sets_are_published_and_listed(
    dev: Cloud, wheels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pins = str(write_requirements(tmp_path / "pins.txt", write_wheel(wheels, "alpha")))
    assert main(["packages", "publish", pins, *DEV, "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert (made["created"], made["packages"]) == (True, {"alpha": "1.0"})
    assert main(["packages", "publish", pins, *DEV]) == 0
    assert capsys.readouterr().out.startswith(f"unchanged: {made['digest']} (1 package, ")
    assert main(["packages", "list", *DEV]) == 0
    headings, row = capsys.readouterr().out.splitlines()
    assert headings.split()[:2] == ["DIGEST", "PYTHON"]
    short, python, *_ = row.split()
    assert (python, row[-14:]) == (Target.running().python, "  1: alpha 1.0")
    assert main(["packages", "show", short, *DEV]) == 0
    assert capsys.readouterr().out.startswith(f"package set {made['digest']}\n")
    assert main(["packages", "constraints", *DEV, "--json"]) == 0
    brought = json.loads(capsys.readouterr().out)
    assert brought == {"target": made["target"], "constraints": installed_runtime()}
    assert main(["packages", "list", *DEV, "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["packages"]
    assert {**made, "pinned_by": []} == {**listed, "created": True}


@pytest.mark.parametrize(
    ("answer", "exit_code", "code"),
    [
        ({"state": "failed", "error": {"code": "trial", "message": "because"}}, 1, "trial"),
        ({"state": "failed", "error": {"code": "store", "message": "because"}}, 1, "store"),
        ({"state": "failed", "error": {"code": "unreachable", "message": "b"}}, 3, "unreachable"),
        ({"state": "other"}, 1, "stage"),
        (response({"errorMessage": "timed out"}, FunctionError="Unhandled"), 1, "stage"),
    ],
)
def test_what_the_function_answers_is_a_code_and_an_exit_code(
    dev: Cloud,
    capsys: pytest.CaptureFixture[str],
    answer: dict[str, Any],
    exit_code: int,
    code: str,
) -> None:
    dev.answer = Answering(answer).called
    assert main(["list", *DEV, "--json"]) == exit_code
    out, err = capsys.readouterr()
    error = json.loads(out)["error"]
    assert (error["code"], len(out.splitlines()), err) == (code, 1, "")


@pytest.mark.parametrize("name", ["", "no stage", "test"])
def test_a_stage_that_is_none_never_means_the_store_here(
    dev: Cloud,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = str(write_model(tmp_path / "adder"))
    assert main(["publish", folder, "--stage", name, "--quiet", "--json"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "stage"
    assert not (tmp_path / ".store").exists()


@pytest.mark.parametrize("verb", ["list", "publish adder", "packages list", "packages publish p"])
def test_a_store_here_and_a_stage_exclude_each_other(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^2$"):
        main([*verb.split(), "--store", "here", "--stage", "dev"])
    assert "not allowed with argument" in capsys.readouterr().err
