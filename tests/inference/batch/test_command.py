"""`python -m inference batch`, run as a person runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.inference.batch.buckets import (
    Context,
    failed_messages,
    handler_of,
    sqs_event,
    without_durations,
)
from tests.inference.batch.models import PLUS, lines_of, publish_model
from tests.inference.forked_commands import run_forked
from tests.support.commands import run
from tests.support.events import message
from tests.support.places import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.inference.batch.buckets import Buckets
    from tests.support.commands import Ended

pytestmark = pytest.mark.store_of("batch_models")

DEADLINE_S = 60.0


class Folders:
    """A folder of inputs, one for outputs, and the command over them."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.input, self.output, self.store = folder / "in", folder / "out", store
        self.input.mkdir()

    def put(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            path = self.input / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def arguments(self, *more: str, model: str = PLUS) -> list[str]:
        places = [model, str(self.input), str(self.output), "--store", str(self.store)]
        return ["batch", *places, *more]

    def run(self, *more: str, model: str = PLUS) -> Ended:
        return run_forked(*self.arguments(*more, model=model))

    def everything(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.output)): without_durations(path.name, path.read_bytes())
            for path in self.output.rglob("*")
            if path.is_file()
        }


@pytest.fixture
def folders(tmp_path: Path, batch_models: Path) -> Folders:
    return Folders(tmp_path, batch_models)


def test_a_folder_goes_in_and_a_folder_comes_out(folders: Folders) -> None:
    folders.put({"a.json": b'{"x": [1, 2]}', "more/grüße.jsonl": lines_of(*[{"x": [1, 2]}] * 3)})
    ran = folders.run()
    place = folders.output / "plus" / "1"
    assert ran == (
        0,
        f"plus version 1: 4 of 4 records answered, from 2 of 2 files, in {place}\n",
        "2 files for plus version 1\n",
    )
    assert set(folders.everything()) == {
        "plus/1/a.json.out",
        "plus/1/a.json.summary.json",
        "plus/1/more/grüße.jsonl.out",
        "plus/1/more/grüße.jsonl.summary.json",
    }


def test_run_again_it_writes_the_same(folders: Folders) -> None:
    folders.put({"a.jsonl": lines_of({"x": [1, 2]}, {}), "b": b"no JSON"})
    assert folders.run().code == 1
    before = folders.everything()
    assert len(before) == 5
    assert folders.run().code == 1
    assert folders.everything() == before


def test_a_record_that_fails_makes_the_exit_code_1_and_the_rest_is_answered(
    folders: Folders,
) -> None:
    folders.put({"a.jsonl": lines_of({"x": [1, 2]}, {}, {"x": [1, 2]}), "b.json": b'{"x": [1, 2]}'})
    ran = folders.run()
    assert ran.code == 1
    assert ran.out.startswith("plus version 1: 3 of 4 records answered, from 2 of 2 files")
    assert ran.out.endswith("; the others are in *.errors.jsonl\n")
    assert "plus/1/b.json.out" in folders.everything()


def test_a_file_that_fails_is_named_and_the_rest_is_answered(folders: Folders) -> None:
    folders.put({"b.json": b'{"x": [1, 2]}'})
    (folders.input / "a").symlink_to("nowhere")
    ran = folders.run()
    assert ran.code == 1
    assert f"error: {folders.input / 'a'} cannot be read: No such file" in ran.err
    assert "from 1 of 2 files" in ran.out
    assert "plus/1/b.json.out" in folders.everything()


def test_json_is_one_object_on_stdout(folders: Folders) -> None:
    folders.put({"a.jsonl": lines_of({"x": [1, 2]}, {})})
    (folders.input / "b").symlink_to("nowhere")
    ran = folders.run("--json")
    assert ran.code == 1
    document = json.loads(ran.out)
    assert document.pop("digest").startswith("sha256:")
    assert document == {
        "model": "plus",
        "version": 1,
        "output": str(folders.output / "plus" / "1"),
        "objects": {"done": 1, "failed": 1},
        "records": {"answered": 1, "failed": 1},
        "failures": [
            {
                "key": "b",
                "error": f"{folders.input / 'b'} cannot be read: No such file or directory",
            }
        ],
    }


def test_an_empty_folder_is_done(folders: Folders) -> None:
    ran = folders.run()
    assert ran.code == 0
    assert "0 of 0 records" in ran.out


def test_what_a_pipeline_prints_does_not_get_between_the_results(
    folders: Folders, store: Path
) -> None:
    assert publish_model(store, PLUS, preface="print('noise')\n") == 2
    folders.store = store
    folders.put({"a.json": b'{"x": [1, 2]}'})
    ran = folders.run("--json")
    assert json.loads(ran.out)["version"] == 2
    assert "noise" in ran.err


@pytest.mark.parametrize(
    ("change", "code", "reason"),
    [
        ({"model": "unheard-of"}, 1, "error: no model is named 'unheard-of'"),
        ({"model": "No Name"}, 1, "error: model name 'No Name' is refused"),
        ({"store": "missing"}, 3, "STORE.json is missing"),
        ({"input": "missing"}, 1, "missing is not a folder: name the folder of inputs"),
        ({"input": "file"}, 1, "file is not a folder: name the folder of inputs"),
        ({"output": "file"}, 1, "file is not a folder: name the folder for outputs"),
        ({"output": "in"}, 1, "in is inside "),
        ({"output": "in/out"}, 1, "its outputs would be the next run's inputs"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    folders: Folders, tmp_path: Path, change: dict[str, str], code: int, reason: str
) -> None:
    (tmp_path / "file").touch()
    model = change.pop("model", PLUS)
    for name, value in change.items():
        setattr(folders, name, tmp_path / value)
    ran = folders.run(model=model)
    assert (ran.code, ran.out) == (code, "")
    assert reason in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("store", "exit_code", "code", "reason"),
    [("store", 1, "failed", "unheard-of"), ("missing", 3, "unreachable", "STORE.json is missing")],
)
def test_with_json_what_cannot_be_done_is_json_too(
    folders: Folders, store: str, exit_code: int, code: str, reason: str
) -> None:
    folders.store = folders.store.with_name(store)
    ran = folders.run("--json", model="unheard-of")
    assert (ran.code, ran.err) == (exit_code, "")
    error = json.loads(ran.out)["error"]
    assert error["code"] == code
    assert reason in error["message"]


def test_the_help_says_what_comes_out_and_what_the_exit_codes_mean(folders: Folders) -> None:
    ran = folders.run("--help")
    assert ran.code == 0
    for said in (".out", ".errors.jsonl", ".summary.json", "Exit codes: 0 every record answered"):
        assert said in ran.out


def test_usage_is_exit_code_2() -> None:
    assert run("batch", "plus").code == 2


def test_interrupted_it_leaves_no_part_of_an_output(folders: Folders, tmp_path: Path) -> None:
    reached, never = tmp_path / "reached", tmp_path / "never"
    held = {"x": [1, 2], "tell": str(reached), "wait_for": str(never)}
    folders.put({"a.json": b'{"x": [1, 2]}', "b.jsonl": lines_of({"x": [1, 2]}, held)})
    with subprocess.Popen(
        [sys.executable, "-m", "inference", *folders.arguments()],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            deadline = time.monotonic() + DEADLINE_S
            while not reached.exists():
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.002)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in err
    assert set(folders.everything()) == {"plus/1/a.json.out", "plus/1/a.json.summary.json"}


def test_the_function_writes_the_same_outputs_for_the_same_objects(
    folders: Folders, batch_models: Path, buckets: Buckets
) -> None:
    files = {"a.jsonl": lines_of({"x": [1, 2]}, {}), "more/grüße an.json": b'{"x": [3, 4]}'}
    folders.put(files)
    folders.run()
    messages: list[dict[str, Any]] = [
        message(buckets.put(f"plus/{name}", data), number=number)
        for number, (name, data) in enumerate(files.items())
    ]
    handler = handler_of(batch_models, buckets)
    assert failed_messages(handler(sqs_event(*messages), Context())) == []
    from_folder, from_s3 = folders.everything(), buckets.everything()
    assert set(from_folder) == set(from_s3)
    for key, data in from_folder.items():
        if key.endswith(".summary.json"):
            ours, theirs = json.loads(data), json.loads(from_s3[key])
            assert ours.pop("input")["size_bytes"] == theirs.pop("input")["size_bytes"]
            assert ours == theirs
        else:
            assert data == from_s3[key]
