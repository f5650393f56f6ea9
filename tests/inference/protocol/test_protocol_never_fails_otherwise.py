"""Whatever the bytes, parse_infer_request gives a checked request or a BadRequestError."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from inference.errors import BadRequestError
from inference.protocol.requests import check_tensors, parse_infer_request
from tests.inference.protocol.signatures import ANY_RANK, one_input, request, signature, tensor
from tests.support.examples import examples

if TYPE_CHECKING:
    from model_store.signature import Signature

EXAMPLES = examples(40, HealthCheck.too_slow)
SIGNATURES = st.sampled_from(
    [
        one_input("FP32", (-1, 2)),
        one_input("FP16", (-1, -1)),
        one_input("BYTES", ANY_RANK),
        one_input("INT64", ANY_RANK),
        one_input("UINT64", (-1,)),
        one_input("BOOL", ()),
        one_input("BF16", (1,)),
        signature(("x", "UINT8", (-1, 0)), ("z", "FP64", (2,))),
    ]
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(10**40), 10**40)
    | st.floats()
    | st.text()
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner)
)
SIZES = st.integers(-2, 4) | st.sampled_from([2**31, 2**32, 2**62, 2**63, 2**80])
NAMES = st.sampled_from(["x", "y", "z"]) | st.text(max_size=3)
TENSORS = st.fixed_dictionaries(
    {"name": NAMES},
    optional={
        "shape": st.lists(SIZES, max_size=4) | VALUES,
        "datatype": st.sampled_from(["FP32", "FP16", "BYTES", "INT64", "UINT64", "BOOL"]) | VALUES,
        "data": st.lists(SCALARS, max_size=6) | VALUES,
        "parameters": VALUES,
    },
)
REQUESTS = st.fixed_dictionaries(
    {"inputs": st.lists(TENSORS, max_size=3) | VALUES},
    optional={"id": VALUES, "outputs": st.lists(TENSORS, max_size=2) | VALUES},
)


def parses_or_is_refused(body: bytes, signature: Signature) -> None:
    try:
        parsed = parse_infer_request(body, signature)
    except BadRequestError as error:
        message = str(error)
    else:
        message = "parsed"
        check_tensors(parsed.tensors, signature.inputs)
    assert message
    assert "\n" not in message


@given(st.binary(), SIGNATURES)
@EXAMPLES
def test_any_bytes(body: bytes, signature: Signature) -> None:
    parses_or_is_refused(body, signature)


@given(VALUES, SIGNATURES)
@EXAMPLES
def test_any_json(document: Any, signature: Signature) -> None:
    parses_or_is_refused(json.dumps(document).encode(), signature)


@given(REQUESTS, SIGNATURES)
@EXAMPLES
def test_anything_like_a_request(document: Any, signature: Signature) -> None:
    parses_or_is_refused(json.dumps(document).encode(), signature)


@given(st.lists(SIZES, max_size=4), st.lists(SCALARS, max_size=4))
@example([0, 2**62], [])
@example([0, 2**80], [])
@EXAMPLES
def test_any_sizes_and_elements(shape: list[int], data: list[Any]) -> None:
    for datatype in ("FP32", "INT64", "BYTES", "BOOL"):
        body = request(tensor(datatype=datatype, shape=shape, data=data))
        parses_or_is_refused(body, one_input(datatype, ANY_RANK))


@pytest.mark.parametrize(
    "shape",
    [[1] * 65, [1] * 1000, [10**4000, 10**4000], [0] * 65],
    ids=["65 sizes", "1,000 sizes", "sizes of 4,000 digits", "65 zeros"],
)
@pytest.mark.parametrize("data", [[], [1.0], 1.0])
def test_shapes_that_no_array_has(shape: list[int], data: Any) -> None:
    body = request(tensor(shape=shape, data=data))
    parses_or_is_refused(body, one_input("FP32", ANY_RANK))


@given(st.data())
@EXAMPLES
def test_a_request_with_one_byte_changed(data: st.DataObject) -> None:
    body = bytearray(request(tensor(), id="a", outputs=[{"name": "y"}]))
    at = data.draw(st.integers(0, len(body) - 1))
    body[at] = data.draw(st.integers(0, 255))
    parses_or_is_refused(bytes(body), one_input("FP32", (-1, 2)))
