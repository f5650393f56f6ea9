"""Labels, splits, holds and retiring, from the command line, on a real store."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest
from onnx import TensorProto

from model_store.layout import StoreLayout
from model_store.reading import read_store_id, read_upward
from model_sync.__main__ import main
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.models import write_adder, write_identity
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.refs import Refs

    Run = Callable[..., tuple[int, Any]]


@pytest.fixture
def run(store: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a verb with --json; its exit code, and the object that it printed."""

    def run(*arguments: str) -> tuple[int, Any]:
        code = main([*arguments, "--store", str(store), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return run


def refs(store: Path) -> Refs:
    found = read_upward(StoreLayout(store).model("adder"))
    assert found
    return found


def test_promote_moves_latest_unless_told_another_label(store: Path, run: Run) -> None:
    code, found = run("promote", "adder", "1", "--reason", "3 is slow")
    assert code == 0
    assert found == {
        "model": "adder",
        "generation": 4,
        "changed": True,
        "label": "latest",
        "version": 1,
        "before": 3,
    }
    run("promote", "adder", "2", "--label", "stable")
    assert refs(store).labels == {"latest": 1, "stable": 2}
    change = refs(store)
    assert change.change.verb == "promote"
    assert run("promote", "adder", "stable")[1]["version"] == 2, "by the label that names it"


def test_what_is_so_already_makes_no_generation(store: Path, run: Run) -> None:
    before = snapshot(store / "models")
    assert run("promote", "adder", "3")[1]["changed"] is False
    assert snapshot(store / "models") == before


def test_rollback_is_one_command_and_another_takes_it_back(run: Run) -> None:
    assert run("rollback", "adder")[1]["version"] == 2
    assert run("rollback", "adder")[1]["version"] == 3
    assert run("rollback", "adder", "--to", "1")[1]["version"] == 1


def test_history_says_who_did_what_when_and_why(run: Run) -> None:
    run("promote", "adder", "1", "--reason", "3 is slow")
    code, found = run("history", "adder", "--most", "2")
    assert code == 0
    newest, before = found["generations"]
    assert (newest["verb"], newest["reason"], newest["labels"]) == (
        "promote",
        "3 is slow",
        {"latest": 1},
    )
    assert "@" in newest["who"]
    assert (before["generation"], before["verb"], before["labels"]) == (3, "publish", {"latest": 3})


def test_publishing_by_another_label_leaves_latest_alone(
    store: Path, run: Run, tmp_path: Path
) -> None:
    write_adder(tmp_path / "adder", 4)
    code, found = run("publish", str(tmp_path / "adder"), "--label", "canary", "--quiet")
    assert (code, found["version"], found["labels"]) == (0, 4, ["canary"])
    assert run("split", "adder", "canary=5")[1]["split"] == {"canary": 5}
    assert (refs(store).labels, refs(store).split) == ({"latest": 3, "canary": 4}, {"canary": 5})
    assert run("unlabel", "adder", "canary")[0] == 1, "it has a share"
    assert run("split", "adder", "--none")[1]["split"] == {}
    assert run("unlabel", "adder", "canary")[1]["version"] is None


def test_what_would_break_callers_is_published_only_when_asked_for(
    store: Path, run: Run, tmp_path: Path
) -> None:
    write_identity(tmp_path / "adder", TensorProto.FLOAT, shape=[1])
    publish = ["publish", str(tmp_path / "adder"), "--quiet"]
    code, refused = run(*publish)
    assert (code, refused["error"]["code"]) == (1, "signature")
    assert refs(store).labels == {"latest": 3}
    assert run(*publish, "--allow-signature-change")[0] == 0
    assert refs(store).labels == {"latest": 4}


def test_a_version_that_nothing_names_is_retired_and_comes_back(store: Path, run: Run) -> None:
    code, found = run("retire", "adder", "1")
    assert (code, found["version"]) == (0, 1)
    entry = refs(store).versions[1]
    assert entry.retired_at
    assert entry.sweep_after
    assert entry.sweep_after == found["sweep_after"]
    assert entry.sweep_after > entry.retired_at
    code, refused = run("retire", "adder", "3")
    assert (code, refused["error"]["code"]) == (1, "change")
    run("promote", "adder", "1")
    assert refs(store).versions[1].sweep_after is None


def test_a_held_version_is_not_retired_until_it_is_released(store: Path, run: Run) -> None:
    code, found = run("hold", "adder", "1", "--job", "nightly", "--hours", "2")
    assert (code, found["job"]) == (0, "nightly")
    assert run("retire", "adder", "1")[0] == 1
    run("release", "adder", "nightly")
    assert run("retire", "adder", "1")[0] == 0
    assert refs(store).holds == {}


def test_show_tells_all_of_one_version(run: Run) -> None:
    for name, number in (("adder", 3), ("adder@1", 1), ("adder:latest", 3)):
        code, found = run("show", name)
        assert (code, found["version"]) == (0, number)
    assert found["version_state"] == "available"
    assert [spec["name"] for spec in found["signature"]["inputs"]] == ["x"]
    assert [each["path"] for each in found["files"]] == ["source/model.onnx"]
    (preparation,) = found["preparations"].values()
    assert preparation["variants"][0]["measurement"]["peak_bytes"] > 0


def test_a_deleted_model_keeps_its_versions_until_they_are_swept(store: Path, run: Run) -> None:
    code, found = run("delete-model", "adder", "--yes")
    assert (code, found["versions"]) == (0, [1, 2, 3])
    assert refs(store).labels == {}
    assert run("promote", "adder", "3")[0] == 0, "it can be brought back"


@pytest.mark.parametrize(("said", "code"), [("adder\n", 0), ("\n", 1), ("another\n", 1)])
def test_a_person_is_asked_for_the_name_before_a_model_goes(
    store: Path, said: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(said))
    assert main(["delete-model", "adder", "--store", str(store)]) == code
    assert (refs(store).labels == {}) is (code == 0)


def test_nobody_to_ask_is_a_refusal(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("adder\n"))
    assert main(["delete-model", "adder", "--store", str(store)]) == 1
    assert refs(store).labels == {"latest": 3}


def test_settle_heals_what_a_crash_left_between_link_and_rename(store: Path, run: Run) -> None:
    model = StoreLayout(store).model("adder")
    behind = model.generation(1).read_bytes()
    model.refs_json.unlink()
    model.refs_json.write_bytes(behind)
    assert run("settle")[1] == {"models": [{"name": "adder", "generation": 3}]}
    assert model.refs_json.read_bytes() == model.generation(3).read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["promote", "adder", "1"],
        ["retire", "adder", "1"],
        ["hold", "adder", "1", "--job", "nightly"],
        ["delete-model", "adder", "--yes"],
    ],
    ids=" ".join,
)
def test_what_is_committed_and_not_settled_is_done_and_says_what_heals_it(
    store: Path, run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    rename = os.rename

    def renaming(source: Path, target: Path) -> None:
        if target.name == "refs.json":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        rename(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", renaming)
        code, found = run(*arguments)
    assert (code, found["changed"], found["generation"]) == (0, True, 4)
    assert "Input/output error: `settle adder` updates it" in found["unsettled"]
    model = StoreLayout(store).model("adder")
    assert not model.refs_json.samefile(model.generation(4))
    assert run("settle", "adder") == (0, {"models": [{"name": "adder", "generation": 4}]})
    assert model.refs_json.samefile(model.generation(4))
    assert "unsettled" not in run("promote", "adder", "2")[1]


READABLE = {
    ("promote", "adder", "1"): "latest of adder is version 1, was version 3 (generation 4)\n",
    ("promote", "adder", "1", "--label", "x"): "x of adder is version 1, new (generation 4)\n",
    ("unlabel", "adder", "latest"): "latest of adder is gone, was version 3 (generation 4)\n",
    ("unlabel", "adder", "x"): "unchanged: adder has no label x\n",
    ("promote", "adder", "3"): "unchanged: latest of adder is version 3\n",
    ("settle",): "adder: generation 3\n",
    ("hold", "adder", "1", "--job", "nightly"): "adder version 1 is held by nightly until ",
    ("release", "adder", "x"): "unchanged: x holds nothing of adder\n",
    ("retire", "adder", "1"): "adder version 1 is retired, and may be swept after ",
    ("delete-model", "adder", "--yes"): "adder is out of service: 3 versions, ",
    ("show", "adder@2"): "adder version 2, available\n",
    ("history", "adder"): "GENERATION  WHEN",
    ("diff", "adder", "1", "3"): "adder: from version 1 to version 3\nsize: ",
}


@pytest.mark.parametrize("arguments", READABLE, ids=" ".join)
def test_every_verb_has_a_readable_form(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    assert main([*arguments, "--store", str(store)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(READABLE[arguments])
    assert err == ""


REFUSED = {
    ("promote", "adder", "9"): "'adder' has no version 9",
    ("promote", "adder", "beta"): "'adder' has no label 'beta'",
    ("promote", "nobody", "1"): "no model is named 'nobody'",
    ("rollback", "adder", "--label", "beta"): "'adder' has no label 'beta'",
    ("show", "adder@x"): "'x' is no version",
    ("show", "../adder"): "is refused",
    ("history", "adder", "--most", "0"): "'most' is 0",
    ("hold", "adder", "1", "--job", "n", "--hours", "0"): "'hours' is 0",
    ("split", "adder", "beta=5"): "'adder' has no label 'beta'",
    ("settle", "../adder"): "is refused",
    ("settle", "nobody"): "no model is named 'nobody'",
    ("show", "adder:beta"): "'adder' has no label 'beta': its label is latest\n",
    ("hold", "adder", "1", "--job", "A b"): "job 'A b' is refused: it must be",
    ("delete-model", "adder"): "stdin is not a terminal: say --yes",
}


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_what_cannot_be_done_is_one_line_and_changes_nothing(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    before = snapshot(store / "models")
    assert main([*arguments, "--store", str(store)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert REFUSED[arguments] in err
    assert err.count("\n") == 1
    assert snapshot(store / "models") == before
    assert list((store / "staging").iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["split", "adder"],
        ["split", "adder", "canary"],
        ["split", "adder", "canary=x"],
        ["split", "adder", "canary=5", "--none"],
        ["split", "adder", "canary=5", "canary=6"],
        ["retire", "adder", "x"],
        ["retire", "adder", "0"],
        ["rollback", "adder", "--to", "1_0"],
        ["diff", "adder", "1", "latest"],
        ["backup", ""],
        ["hold", "adder", "1"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_exit_code_2(store: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([*arguments, "--store", str(store)])
    assert raised.value.code == 2


def test_a_store_that_is_not_there_is_exit_code_3(tmp_path: Path) -> None:
    assert main(["promote", "adder", "1", "--store", str(tmp_path / "missing")]) == 3
    assert not (tmp_path / "missing").exists()


def test_a_sweep_says_what_it_deletes_and_why_it_keeps_the_rest(
    store: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    run("retire", "adder", "1")
    before = snapshot(store)
    code, found = run("sweep", "--dry-run")
    assert (code, found["deleted"], found["dry_run"]) == (0, [], True)
    reasons = {each["version"]: each["reason"] for each in found["kept"]}
    assert set(reasons) == {1, 2, 3}
    assert "latest" in reasons[3]
    assert snapshot(store) == before
    assert main(["sweep", "--store", str(store), "--quiet"]) == 0
    out = capsys.readouterr().out
    assert f"kept adder version 1: {reasons[1]}\n" in out
    assert out.endswith(" freed\n")


def test_a_damaged_store_is_told_by_a_line_a_problem_and_exit_code_1(
    store: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = run("verify", "--quiet")
    assert (code, found["problems"]) == (0, [])
    assert found["checked"]["versions"] == 3
    entry = refs(store).versions[2]
    graph = StoreLayout(store).model("adder").version(entry.id) / "source" / "model.onnx"
    graph.write_bytes(bytes(graph.stat().st_size))
    assert main(["verify", "adder", "--store", str(store), "--quiet"]) == 1
    problem, summary = capsys.readouterr().out.splitlines()
    assert "adder@2" in problem
    assert summary.startswith("1 problem: 1 model, 3 versions, ")
    assert run("verify", "--quiet")[0] == 1


def test_a_diff_names_what_changed(run: Run, store: Path, tmp_path: Path) -> None:
    write_identity(tmp_path / "adder", TensorProto.FLOAT, shape=[1])
    run("publish", str(tmp_path / "adder"), "--quiet", "--allow-signature-change")
    code, found = run("diff", "adder", "3", "4")
    assert code == 0
    (changed,) = found["signature"]["inputs"]["changed"]
    assert (changed["one"]["shape"], changed["other"]["shape"]) == ([-1, 2], [1])


def test_a_diff_is_told_line_by_line(
    store: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    write_identity(tmp_path / "adder", TensorProto.FLOAT, shape=[1])
    publish(tmp_path / "adder", store, progress=Silent(), allow_signature_change=True)
    assert main(["diff", "adder", "3", "4", "--store", str(store)]) == 0
    out = capsys.readouterr().out
    assert "inputs: 1\n  ~ x FP32 [any, 2] -> x FP32 [1]\n" in out
    assert "files: 1\n  ~ source/model.onnx (" in out
    assert "packages: the same\n" in out


def test_a_backup_becomes_a_store_again_under_another_id(
    store: Path, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, found = run("backup", str(tmp_path / "backup"), "--quiet")
    assert (code, found["models"], found["copied"]["versions"]) == (0, {"adder": 3}, 3)
    assert run("backup", str(tmp_path / "backup"), "--quiet")[1]["copied"]["versions"] == 0
    other = str(tmp_path / "other")
    assert main(["restore", str(tmp_path / "backup"), "--store", other, "--quiet"]) == 0
    assert capsys.readouterr().out.startswith("1 model is restored as of ")
    assert main(["verify", "--store", other, "--quiet"]) == 0
    assert read_store_id(StoreLayout(tmp_path / "other")) != read_store_id(StoreLayout(store))


@pytest.mark.parametrize("verb", ["backup", "restore"])
def test_a_stage_is_neither_copied_nor_restored_from_here_nor_looked_for(
    capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert main([verb, "/nowhere", "--stage", "dev"]) == 1
    assert "AWS Backup" in capsys.readouterr().err


def test_an_empty_store_option_is_not_the_folder_that_one_is_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as raised:
        main(["publish", str(write_adder(tmp_path / "adder", 1).parent), "--store", ""])
    assert raised.value.code == 2
    assert "it is empty: name a folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["adder"]


def test_a_model_without_latest_says_how_to_name_a_version(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["delete-model", "adder", "--yes", "--store", str(store)]) == 0
    capsys.readouterr()
    assert main(["show", "adder", "--store", str(store)]) == 1
    assert capsys.readouterr().err == (
        "error: 'adder' has no label 'latest': it has no label "
        "(name a label, or a version: adder@3)\n"
    )


def test_shares_of_the_calls_are_told_wherever_labels_are(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ("--store", str(store))
    assert main(["promote", "adder", "2", "--label", "canary", *at]) == 0
    assert main(["split", "adder", "canary=5", *at]) == 0
    capsys.readouterr()
    assert main(["list", *at, "--quiet"]) == 0
    assert "canary (5%)" in capsys.readouterr().out.splitlines()[2]
    assert main(["history", "adder", *at]) == 0
    newest, before = capsys.readouterr().out.splitlines()[1:3]
    assert newest.endswith("  split    canary=2 (5%), latest=3")
    assert before.endswith("  promote  canary=2, latest=3")


@pytest.mark.parametrize("reason", ["[/nope] [bold]x", "two\nlines", "\x1b[31mred", "\u202egnol"])
def test_a_history_is_a_line_a_change_whatever_the_reason(
    store: Path, run: Run, capsys: pytest.CaptureFixture[str], reason: str
) -> None:
    assert run("promote", "adder", "1", "--reason", reason)[0] == 0
    assert main(["history", "adder", "--store", str(store)]) == 0
    out = capsys.readouterr().out
    assert out.count("\n") == 5
    assert out.splitlines()[1].endswith(reason.encode("unicode_escape").decode())
    assert run("history", "adder")[1]["generations"][0]["reason"] == reason
