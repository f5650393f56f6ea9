"""Outcomes of objects with real models, from a folder into a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference.batch import run
from inference.batch.errors import ObjectGoneError, OutOfTimeError, StorageError
from inference.batch.folder_storage import FolderInput, FolderOutputs
from inference.batch.run import run_object
from tests.inference.batch.buckets import without_durations
from tests.inference.batch.models import ADDER, BYTES, PLUS, add_up, lines_of, load, read_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from inference.batch.run import ObjectResult
    from inference.loading.loaded_version import LoadedVersion


class Batch:
    """A folder of inputs, a folder of outputs, and the three models."""

    def __init__(self, folder: Path, models: dict[str, LoadedVersion]) -> None:
        self.input, self.output = folder / "in", folder / "out"
        self.input.mkdir()
        self._models = models

    def put(self, name: str, data: bytes) -> FolderInput:
        (self.input / name).write_bytes(data)
        return FolderInput(self.input, name)

    def run(self, model: str, name: str, data: bytes, **how: Any) -> ObjectResult:
        return self.answer(model, self.put(name, data), **how)

    def answer(self, model: str, source: FolderInput, **how: Any) -> ObjectResult:
        return run_object(self._models[model], source, FolderOutputs(self.output), **how)

    def read(self, key: str) -> bytes:
        return (self.output / key).read_bytes()

    def summary(self, key: str) -> Any:
        return json.loads(self.read(f"{key}.summary.json"))

    def files(self) -> set[str]:
        """The outputs that there are, without their place."""
        return {path.name for path in self.output.rglob("*") if path.is_file()}

    def everything(self) -> dict[str, bytes]:
        paths = [path for path in self.output.rglob("*") if path.is_file()]
        return {str(path): without_durations(path.name, path.read_bytes()) for path in paths}


@pytest.fixture(scope="module")
def models(batch_models: Path) -> dict[str, LoadedVersion]:
    return {name: load(batch_models, name) for name in (ADDER, PLUS, BYTES)}


@pytest.fixture
def batch(tmp_path: Path, models: dict[str, LoadedVersion]) -> Batch:
    return Batch(tmp_path, models)


def test_an_object_is_one_input_and_its_answers_body_one_output(batch: Batch) -> None:
    batch.run(PLUS, "a.json", b'{"x": [1, 2]}')
    assert batch.files() == {"a.json.out", "a.json.summary.json"}
    assert json.loads(batch.read("plus/1/a.json.out")) == {
        "y": [11, 12],
        "content_type": "application/json",
    }


def test_the_content_type_follows_from_the_name(batch: Batch) -> None:
    batch.run(BYTES, "a.png", b"\x89PNG")
    answer = {"size": 4, "content_type": "image/png"}
    assert json.loads(batch.read("bytes/1/a.png.out")) == answer


def test_an_object_of_no_bytes_is_an_input(batch: Batch) -> None:
    batch.run(BYTES, "empty", b"")
    answer = {"size": 0, "content_type": "application/octet-stream"}
    assert json.loads(batch.read("bytes/1/empty.out")) == answer


def test_bytes_and_text_are_outputs_as_they_are(batch: Batch) -> None:
    batch.run(PLUS, "bytes", b'{"x": [1, 2], "form": "bytes"}')
    batch.run(PLUS, "text", b'{"x": [1, 2], "form": "text"}')
    assert batch.read("plus/1/bytes.out") == b"\x00\xff"
    assert batch.read("plus/1/text.out") == b"two\nlines"


def test_a_model_without_a_pipeline_takes_a_protocol_request(batch: Batch) -> None:
    batch.run(ADDER, "a.json", json.dumps(add_up(1, 2)).encode())
    assert json.loads(batch.read("adder/1/a.json.out"))["outputs"][0]["data"] == [11, 12]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"{}", "the input was refused: it has no 'x'"),
        (b'{"x": {}}', "pipeline.py failed in decode()"),
        (b'{"x": [1, 2], "form": "no text"}', "pipeline.py failed in encode()"),
    ],
)
def test_an_object_at_fault_has_an_error_and_no_answer(
    batch: Batch, data: bytes, reason: str
) -> None:
    done = batch.run(PLUS, "a", data)
    assert (done.answered, done.failed) == (0, 1)
    assert batch.files() == {"a.errors.jsonl", "a.summary.json"}
    assert read_lines(batch.read("plus/1/a.errors.jsonl")) == [{"record": 1, "reason": reason}]
    assert batch.summary("plus/1/a")["outputs"] == {
        "answers": None,
        "errors": "plus/1/a.errors.jsonl",
    }


def test_an_object_too_large_for_one_record_is_at_fault_and_is_not_read(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MAX_OBJECT_BYTES", 3)
    batch.run(BYTES, "fits", b"123")
    source = batch.put("large", b"1234")
    monkeypatch.setattr(source, "blocks", pytest.fail)
    batch.answer(BYTES, source)
    (error,) = read_lines(batch.read("bytes/1/large.errors.jsonl"))
    assert error["reason"] == "the object has 4 bytes; an object that is one record may have 3"
    assert "fits.out" in batch.files()


def test_json_lines_are_a_record_a_line_and_answers_say_whose_they_are(batch: Batch) -> None:
    data = lines_of({"x": [1, 2]}, {"x": [3, 4]}) + b"\n\r\n" + b'{"x": [5, 6]}'
    done = batch.run(PLUS, "a.jsonl", data)
    assert (done.answered, done.failed) == (3, 0)
    assert batch.files() == {"a.jsonl.out", "a.jsonl.summary.json"}
    found = read_lines(batch.read("plus/1/a.jsonl.out"))
    assert [(line["record"], line["answer"]["y"]) for line in found] == [
        (1, [11, 12]),
        (2, [13, 14]),
        (5, [15, 16]),
    ]


def test_records_at_fault_go_to_the_errors_and_the_rest_goes_on(
    batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MAX_LINE_BYTES", 100)
    lines = [
        b'{"x": [1, 2]}',
        b"no JSON",
        b'{"x": "\xff"}',
        b'{"x": [1, 2], "long": "' + b"x" * 100 + b'"}',
        b'{"x": {}}',
        b'{"x": [1, 2], "form": "no json"}',
        b'{"x": [3, 4]}',
    ]
    done = batch.run(PLUS, "a.jsonl", b"\n".join(lines))
    assert (done.answered, done.failed) == (2, 5)
    found = read_lines(batch.read("plus/1/a.jsonl.out"))
    assert [(line["record"], line["answer"]["y"]) for line in found] == [
        (1, [11, 12]),
        (7, [13, 14]),
    ]
    errors = read_lines(batch.read("plus/1/a.jsonl.errors.jsonl"))
    assert [error["record"] for error in errors] == [2, 3, 4, 5, 6]
    for error, reason in zip(
        errors,
        [
            "the line is not JSON: invalid literal",
            "the line is not JSON: str is not valid UTF-8",
            "the line is longer than 100 bytes",
            "pipeline.py failed in decode()",
            "encode() declared its answer as JSON, but it is not",
        ],
        strict=True,
    ):
        assert error["reason"].startswith(reason)


@pytest.mark.parametrize("data", [b"", b"\n \n\r\n"])
def test_json_lines_without_a_record_have_an_output_without_a_line(
    batch: Batch, data: bytes
) -> None:
    done = batch.run(PLUS, "a.jsonl", data)
    assert (done.answered, done.failed) == (0, 0)
    assert batch.files() == {"a.jsonl.out", "a.jsonl.summary.json"}
    assert batch.read("plus/1/a.jsonl.out") == b""


def test_a_summary_says_what_was_answered_by_what(batch: Batch, batch_models: Path) -> None:
    data = lines_of({"x": [1, 2]}, {})
    batch.run(PLUS, "a.jsonl", data)
    summary = batch.summary("plus/1/a.jsonl")
    durations = summary.pop("durations_ms")
    assert summary == {
        "model": "plus",
        "version": 1,
        "digest": load(batch_models, PLUS).digest,
        "input": {"key": "a.jsonl", "size_bytes": len(data)},
        "records": {"answered": 1, "failed": 1},
        "outputs": {
            "answers": "plus/1/a.jsonl.out",
            "errors": "plus/1/a.jsonl.errors.jsonl",
        },
    }
    assert 0 < durations["answering"] <= durations["total"]


def test_the_same_object_twice_is_the_same_bytes(batch: Batch) -> None:
    objects = {
        "a.jsonl": lines_of({"x": [1, 2]}, {}, {"x": [0.1, 1e30]}),
        "b.json": b'{"x": [3, 4]}',
        "c.json": b"{}",
    }
    for name, data in objects.items():
        batch.run(PLUS, name, data)
    before = batch.everything()
    assert len(before) == 7
    for name, data in objects.items():
        batch.run(PLUS, name, data)
    assert batch.everything() == before


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("a.jsonl", b"{}\n", b'{"x": [1, 2]}\n'),
        ("a.json", b"{}", b'{"x": [1, 2]}'),
    ],
)
def test_nothing_of_an_earlier_run_is_left(
    batch: Batch, name: str, wrong: bytes, right: bytes
) -> None:
    batch.run(PLUS, name, wrong)
    assert f"{name}.errors.jsonl" in batch.files()
    batch.run(PLUS, name, right)
    assert batch.files() == {f"{name}.out", f"{name}.summary.json"}
    batch.run(PLUS, name, wrong)
    assert f"{name}.errors.jsonl" in batch.files()
    if name == "a.json":
        assert f"{name}.out" not in batch.files()


class WatchedOutputs(FolderOutputs):
    """The real outputs; says what is in place at each step, and fails at a chosen one."""

    def __init__(self, folder: Path, fail_at: str | None = None) -> None:
        super().__init__(folder)
        self._root, self._fail_at = folder, fail_at
        self.steps: list[tuple[str, set[str]]] = []

    def create(self, key: str, content_type: str) -> Any:
        output = super().create(key, content_type)
        commit = output.commit

        def watched() -> None:
            self._step(f"commit {Path(key).name}")
            commit()

        output.commit = watched  # type: ignore[method-assign]
        return output

    def remove(self, key: str) -> None:
        self._step(f"remove {Path(key).name}")
        super().remove(key)

    def _step(self, what: str) -> None:
        there = {path.name for path in self._root.rglob("*") if not path.name.startswith(".")}
        self.steps.append((what, {name for name in there if "." in name}))
        if what == self._fail_at:
            raise StorageError(f"failed to {what}")


@pytest.fixture
def second_run(batch: Batch, models: dict[str, LoadedVersion]) -> Callable[..., WatchedOutputs]:
    """Run an object with errors, then again without, its outputs watched."""

    def run(fail_at: str | None = None) -> WatchedOutputs:
        batch.run(PLUS, "a.jsonl", lines_of({"x": [1, 2]}, {}))
        outputs = WatchedOutputs(batch.output, fail_at)
        source = batch.put("a.jsonl", lines_of({"x": [1, 2]}))
        if fail_at is None:
            run_object(models[PLUS], source, outputs)
        else:
            with pytest.raises(StorageError, match=fail_at):
                run_object(models[PLUS], source, outputs)
        return outputs

    return run


OUT, ERRORS, SUMMARY = "a.jsonl.out", "a.jsonl.errors.jsonl", "a.jsonl.summary.json"


def test_a_summary_is_never_beside_outputs_that_are_not_its_own(
    second_run: Callable[..., WatchedOutputs],
) -> None:
    assert second_run().steps == [
        (f"remove {SUMMARY}", {OUT, ERRORS, SUMMARY}),
        (f"commit {OUT}", {OUT, ERRORS}),
        (f"remove {ERRORS}", {OUT, ERRORS}),
        (f"commit {SUMMARY}", {OUT}),
    ]


@pytest.mark.parametrize("step", [f"commit {OUT}", f"remove {ERRORS}", f"commit {SUMMARY}"])
def test_a_run_that_fails_among_its_outputs_leaves_no_summary_and_the_next_one_mends_it(
    second_run: Callable[..., WatchedOutputs],
    batch: Batch,
    models: dict[str, LoadedVersion],
    step: str,
) -> None:
    second_run(fail_at=step)
    assert SUMMARY not in batch.files()
    assert not [name for name in batch.files() if name.endswith(".part")]
    run_object(models[PLUS], FolderInput(batch.input, "a.jsonl"), FolderOutputs(batch.output))
    assert batch.files() == {OUT, SUMMARY}


class Changing(FolderInput):
    """A file that is changed when its first block has been read."""

    def blocks(self) -> Iterator[bytes]:
        for block in super().blocks():
            yield block
            self._path.write_bytes(b"changed")


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_an_object_that_changes_while_it_is_read_leaves_the_outputs_as_they_were(
    batch: Batch, name: str
) -> None:
    batch.run(PLUS, name, b'{"x": [1, 2]}')
    before = batch.everything()
    batch.put(name, b'{"x": [3, 4]}')
    with pytest.raises(ObjectGoneError):
        batch.answer(PLUS, Changing(batch.input, name))
    assert batch.everything() == before


def test_a_run_that_is_ended_before_a_record_leaves_nothing(batch: Batch) -> None:
    asked: list[int] = []

    def stop_at_the_third(records: int) -> None:
        asked.append(records)
        if records == 2:
            raise OutOfTimeError("enough")

    data = lines_of({"x": [1, 2]}, {}, {"x": [3, 4]})
    with pytest.raises(OutOfTimeError):
        batch.run(PLUS, "a.jsonl", data, before_record=stop_at_the_third)
    assert asked == [0, 1, 2]
    assert batch.files() == set()


def test_an_object_that_is_one_record_is_asked_for_once(batch: Batch) -> None:
    asked: list[int] = []
    batch.run(BYTES, "a", b"", before_record=asked.append)
    assert asked == [0]


def test_what_is_nobodys_fault_ends_the_run_and_leaves_nothing(
    batch: Batch, models: dict[str, LoadedVersion]
) -> None:
    class NoMemory:
        def run(self, *_: object) -> None:
            raise MemoryError("no memory")

    without_memory = models[PLUS]._replace(session=NoMemory())
    source = batch.put("a.jsonl", lines_of({"x": [1, 2]}))
    with pytest.raises(MemoryError):
        run_object(without_memory, source, FolderOutputs(batch.output))
    assert batch.files() == set()


def test_a_pipelines_own_failure_is_logged_once_with_its_cause(
    batch: Batch, logged: list[dict[str, Any]]
) -> None:
    batch.run(PLUS, "a.jsonl", lines_of({}, {"x": {}}, {"x": {}}))
    batch.run(PLUS, "b.jsonl", lines_of({}))
    (line,) = logged
    assert (line["model"], line["version"], line["record"]) == ("plus", 1, 2)
    assert "TypeError" in line["exception"]
