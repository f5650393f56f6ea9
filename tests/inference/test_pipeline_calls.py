from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from inference.errors import BadRequestError, PipelineError
from inference.pipeline import Pipeline, Request, Response, as_response, load_pipeline

REQUEST = Request(b"abc", "text/plain", {"top": "3"})
OUTPUTS = {"y": np.array([1.5, 2.5], np.float32)}


def pipeline(decode: str = "{}", encode: str = "None", *, setup: str = "") -> Pipeline:
    code = f"""
import numpy
from inference.pipeline import Response
{setup}
def decode(request):
    return {decode}
def encode(outputs, request):
    return {encode}
"""
    return load_pipeline(code.encode(), Path("/v/pipeline.py"), "pipeline_under_test")


def fail(error: str) -> str:
    return f"def fail():\n    raise {error}\n"


def test_decode_sees_the_whole_request() -> None:
    made = pipeline(
        "{'n': numpy.array([len(request.body), int(request.parameters['top'])]),"
        " request.content_type: numpy.zeros(1)}"
    )
    tensors = made.decode(REQUEST)
    assert tensors["n"].tolist() == [3, 3]
    assert "text/plain" in tensors


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("ValueError('not a picture')", "the input was refused: not a picture"),
        ("ValueError('first\\nsecond')", "the input was refused: first"),
        ("ValueError()", "the input was refused: ValueError"),
        ("ValueError(' \\n ')", "the input was refused: ValueError"),
        ("UnicodeDecodeError('utf-8', b'\\xff', 0, 1, 'bad')", "'utf-8' codec can't decode"),
        ("__import__('json').JSONDecodeError('no JSON', '', 0)", "no JSON: line 1"),
    ],
)
def test_a_value_error_in_decode_is_the_callers_with_its_message(error: str, said: str) -> None:
    with pytest.raises(BadRequestError) as caught:
        pipeline("fail()", setup=fail(error)).decode(REQUEST)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("error", ["KeyError('x')", "TypeError()", "OSError(2, 'no')", "Exception"])
def test_any_other_error_in_decode_is_the_pipelines(error: str) -> None:
    with pytest.raises(PipelineError) as caught:
        pipeline("fail()", setup=fail(error)).decode(REQUEST)
    assert str(caught.value) == "pipeline.py failed in decode()"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize(
    "returned",
    ["None", "5", "[]", "'x'", "{'x': [1.0]}", "{'x': 1.0}", "{5: numpy.zeros(1)}",
     "{'x': numpy.float32(1)}", "[('x', numpy.zeros(1))]"],
)  # fmt: skip
def test_decode_that_returns_no_dict_of_arrays_is_the_pipelines_fault(returned: str) -> None:
    with pytest.raises(PipelineError, match=r"pipeline.py: decode\(\) did not return a dict"):
        pipeline(returned).decode(REQUEST)


@pytest.mark.parametrize("error", ["ValueError('x')", "KeyError('x')", "Exception"])
def test_any_error_in_encode_is_the_pipelines(error: str) -> None:
    with pytest.raises(PipelineError) as caught:
        pipeline(encode="fail()", setup=fail(error)).encode(OUTPUTS, REQUEST)
    assert str(caught.value) == "pipeline.py failed in encode()"
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("place", ["decode", "encode"])
def test_a_pipeline_that_ends_the_process_only_fails(place: str) -> None:
    made = pipeline(**{place: "fail()"}, setup=fail("SystemExit(3)"))
    with pytest.raises(PipelineError, match=f"failed in {place}"):
        made.decode(REQUEST) if place == "decode" else made.encode(OUTPUTS, REQUEST)


def test_encode_sees_the_outputs_and_the_request() -> None:
    made = pipeline(encode="{'mean': float(outputs['y'].mean()), 'sent': len(request.body)}")
    assert json.loads(made.encode(OUTPUTS, REQUEST).body) == {"mean": 2.0, "sent": 3}


class Best(NamedTuple):
    name: str
    score: float


ANSWERS: dict[str, tuple[Any, Response]] = {
    "a dict": ({"a": [1, None, "é"]}, Response('{"a":[1,null,"é"]}', "application/json")),
    "a list": ([1.5, True], Response("[1.5,true]", "application/json")),
    "a tuple": ((1, 2), Response("[1,2]", "application/json")),
    "a named tuple": ([Best("cat", 0.5)], Response('[["cat",0.5]]', "application/json")),
    "a number": (1, Response("1", "application/json")),
    "none": (None, Response("null", "application/json")),
    "text": ("é", Response("é", "text/plain; charset=utf-8")),
    "no text": ("", Response("", "text/plain; charset=utf-8")),
    "bytes": (b"\x00\xff", Response(b"\x00\xff", "application/octet-stream")),
    "its own": (Response(b"P6", "image/png"), Response(b"P6", "image/png")),
    "its own text": (Response("<b>", "text/html"), Response("<b>", "text/html")),
    "a numpy float": (np.float32(1.5), Response("1.5", "application/json")),
    "a numpy integer": ({"n": np.int64(7)}, Response('{"n":7}', "application/json")),
    "a numpy boolean": ([np.True_], Response("[true]", "application/json")),
    "an array": ({"y": OUTPUTS["y"]}, Response('{"y":[1.5,2.5]}', "application/json")),
    "an array of rank 2": (np.ones((1, 2), np.int8), Response("[[1,1]]", "application/json")),
    "an array that lies in pieces": (
        np.arange(4)[::2],
        Response("[0,2]", "application/json"),
    ),
    "floats that JSON has no form for": (
        {"a": [float("nan"), np.float32("inf")], "b": np.array([-np.inf, 1.0])},
        Response('{"a":[null,null],"b":[null,1.0]}', "application/json"),
    ),
    "keys that are no strings": ({1: 2, None: 3}, Response('{"1":2,"null":3}', "application/json")),
    "an array of strings": (np.array(["a"], np.object_), Response('["a"]', "application/json")),
}


@pytest.mark.parametrize(("answer", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_gets_a_body_and_a_content_type(answer: Any, expected: Response) -> None:
    response = as_response(answer)
    assert response == expected
    assert type(response.body) is type(expected.body)


@pytest.mark.parametrize(
    "answer",
    ["object()", "{1, 2}", "10**30", "'\\ud800'", "['\\ud800']", "{'a': b'bytes'}", "1j",
     "{(1, 2): 3}", "numpy.array([object()])"],
)  # fmt: skip
def test_an_answer_without_a_json_form_is_the_pipelines_fault(answer: str) -> None:
    with pytest.raises(PipelineError, match=r"failed in encode\(\)"):
        pipeline(encode=answer).encode(OUTPUTS, REQUEST)


@pytest.mark.parametrize(
    "answer",
    ["Response(5, 'text/plain')", "Response(None, 'text/plain')", "Response({}, 'text/plain')",
     "Response({}, 'application/json')", "Response('a', None)", "Response('a', 5)",
     "Response(b'a', '')", "Response('a', 'text/plain\\r\\nX-Other: 1')",
     "Response('a', 'text/\u00e9')", "Response('a', ' ')", "Response('a', 'text/plain ')"],
)  # fmt: skip
def test_a_response_of_the_wrong_types_is_the_pipelines_fault(answer: str) -> None:
    with pytest.raises(PipelineError, match=r"failed in encode\(\)"):
        pipeline(encode=answer).encode(OUTPUTS, REQUEST)


def test_a_recursive_answer_is_the_pipelines_fault() -> None:
    made = pipeline(encode="LOOP", setup="LOOP = []\nLOOP.append(LOOP)")
    with pytest.raises(PipelineError):
        made.encode(OUTPUTS, REQUEST)
