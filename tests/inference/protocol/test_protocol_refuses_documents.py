from __future__ import annotations

import pytest

from inference.errors import BadRequestError
from inference.protocol.requests import parse_infer_request
from tests.inference.protocol.signatures import one_input, request, tensor

SIGNATURE = one_input("FP32", (-1, 2))

REFUSED = {
    "no body": (b"", ["empty", "expected an inference request in JSON"]),
    "only blanks": (b" \n\t ", ["empty"]),
    "no JSON": (b"x=1", ["not JSON", "line 1 column 1"]),
    "JSON that ends early": (request(tensor())[:-2], ["not JSON"]),
    "JSON and more": (
        request(tensor()) + b"}",
        ["not JSON", "unexpected content after document", "at '}'"],
    ),
    "bytes that are no UTF-8": (b'{"id": "\xff"}', ["not JSON", "not valid UTF-8"]),
    "UTF-16": ('{"inputs": []}'.encode("utf-16"), ["not JSON"]),
    "a number of 5,000 digits": (b'{"inputs": %s}' % (b"1" * 5000), ["not JSON"]),
    "NaN": (b'{"inputs": NaN}', ["not JSON", "at 'NaN}'"]),
    "Infinity": (b'{"inputs": Infinity}', ["not JSON", "at 'Infinity}'"]),
    "-Infinity": (b'{"inputs": -Infinity}', ["not JSON", "Infinity}'"]),
    "a list": (b"[]", ["expected a JSON object"]),
    "a string": (b'"inputs"', ["expected a JSON object"]),
    "null": (b"null", ["expected a JSON object"]),
    "deep nesting": (b"[" * 100_000, ["not JSON", "depth limit exceeded"]),
    "deep nesting that ends": (
        b'{"inputs": %s%s}' % (b"[" * 50_000, b"]" * 50_000),
        ["not JSON", "depth limit exceeded"],
    ),
    "an id that is a number": (request(tensor(), id=7), ["'id'", "string"]),
    "no inputs": (b"{}", ["'inputs'", "missing", "list"]),
    "inputs as an object": (b'{"inputs": {"x": [1, 2]}}', ["'inputs'", "list"]),
    "an input that is a number": (request(5), ["'inputs'", "object with a 'name'"]),
    "an input without a name": (request({"shape": [1]}), ["'inputs'", "object with a 'name'"]),
    "an input named 5": (request(tensor() | {"name": 5}), ["'inputs'", "with a 'name'"]),
    "an empty list of inputs": (request(), ["'x'", "is missing", "expected 'x'"]),
    "outputs as a string": (request(tensor(), outputs="y"), ["'outputs'", "list"]),
    "outputs as an object": (request(tensor(), outputs={}), ["'outputs'", "list"]),
    "outputs as false": (request(tensor(), outputs=False), ["'outputs'", "list"]),
    "an output that is a string": (request(tensor(), outputs=["y"]), ["'outputs'", "'name'"]),
    "an output that is not there": (
        request(tensor(), outputs=[{"name": "z"}]),
        ["no output 'z'", "expected 'y'"],
    ),
    "an output twice": (
        request(tensor(), outputs=[{"name": "y"}, {"name": "y"}]),
        ["'outputs'", "'y' twice"],
    ),
}


@pytest.mark.parametrize(("body", "said"), REFUSED.values(), ids=REFUSED)
def test_a_document_is_refused_with_what_was_wrong(body: bytes, said: list[str]) -> None:
    with pytest.raises(BadRequestError) as caught:
        parse_infer_request(body, SIGNATURE)
    message = str(caught.value)
    assert [part for part in said if part not in message] == []
    assert "\n" not in message
