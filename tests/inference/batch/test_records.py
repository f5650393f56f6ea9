from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from inference.batch.records import answer_line, answer_record, error_line
from inference.errors import BadRequestError, PipelineError
from tests.inference.batch.models import ADDER, BYTES, PLUS, add_up, load

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion


@pytest.fixture(scope="module")
def plus(batch_models: Path) -> LoadedVersion:
    return load(batch_models, PLUS)


@pytest.fixture(scope="module")
def adder(batch_models: Path) -> LoadedVersion:
    return load(batch_models, ADDER)


def answer(loaded: LoadedVersion, record: object) -> Any:
    line = answer_line(loaded, 7, json.dumps(record).encode())
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    document = json.loads(line)
    assert document["record"] == 7
    return document


def test_a_pipeline_gets_a_line_as_json(plus: LoadedVersion) -> None:
    document = answer(plus, {"x": [1, 2]})
    assert document["answer"] == {"y": [11, 12], "content_type": "application/json"}


def test_a_model_without_a_pipeline_gets_protocol_requests(adder: LoadedVersion) -> None:
    document = answer(adder, {**add_up(1, 2), "id": "mine"})
    assert document["answer"] == {
        "model_name": "adder",
        "model_version": "1",
        "id": "mine",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2], "data": [11, 12]}],
    }


def test_json_that_is_spread_over_lines_comes_in_one(plus: LoadedVersion) -> None:
    assert answer(plus, {"x": [1, 2], "form": "spread"})["answer"] == {"y": [1.0, 2.5]}


def test_json_stands_as_the_pipeline_wrote_it(plus: LoadedVersion) -> None:
    line = answer_line(plus, 1, b'{"x": [1, 2], "form": "echo", "big": 12345678901234567890.5}')
    assert b'"big":1.2345678901234567e+19' in line


def test_text_is_a_string(plus: LoadedVersion) -> None:
    assert answer(plus, {"x": [1, 2], "form": "text"}) == {"record": 7, "answer": "two\nlines"}


def test_bytes_come_as_base64_with_their_content_type(plus: LoadedVersion) -> None:
    assert answer(plus, {"x": [1, 2], "form": "bytes"}) == {
        "record": 7,
        "answer": base64.b64encode(b"\x00\xff").decode(),
        "encoding": "base64",
        "content_type": "application/octet-stream",
    }


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{", "the line is not JSON"),
        (b'{"x": [1, 2]} {}', "the line is not JSON"),
        (b'{"x": [1, NaN]}', "at 'NaN]}'"),
        (b'{"x": "\xff"}', "the line is not JSON"),
        (b"[" * 100_000, "depth limit exceeded"),
        (b'{"y": 1}', "the input was refused: it has no 'x'"),
    ],
)
def test_a_line_at_fault_is_refused_with_its_reason(
    plus: LoadedVersion, line: bytes, reason: str
) -> None:
    with pytest.raises(BadRequestError, match=reason) as refused:
        answer_line(plus, 1, line)
    assert "\n" not in str(refused.value)


def test_no_pipeline_sees_a_line_that_is_not_json(batch_models: Path) -> None:
    takes_anything = load(batch_models, BYTES)
    assert answer_record(takes_anything, b"\xff", "text/plain").body
    with pytest.raises(BadRequestError, match="the line is not JSON"):
        answer_line(takes_anything, 1, b"\xff")


@pytest.mark.parametrize("line", [b"\xff", b"{", b"[]", b'{"inputs": []}'])
def test_a_request_at_fault_is_refused(adder: LoadedVersion, line: bytes) -> None:
    with pytest.raises(BadRequestError):
        answer_line(adder, 1, line)


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"x": {}}, r"failed in decode\(\)"),
        ({"x": [1, 2, 3]}, "does not fit the model"),
        ({"x": [1, 2], "form": "no json"}, "declared its answer as JSON"),
    ],
)
def test_what_a_pipeline_fails_at_is_the_records_fault_alone(
    plus: LoadedVersion, record: object, reason: str
) -> None:
    with pytest.raises(PipelineError, match=reason):
        answer_line(plus, 1, json.dumps(record).encode())
    assert answer(plus, {"x": [1, 2]})


def test_an_error_is_a_line_with_number_and_reason() -> None:
    line = error_line(3, "two\nlines, ü and \ud800")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"record": 3, "reason": "two\\nlines, ü and \\ud800"}
