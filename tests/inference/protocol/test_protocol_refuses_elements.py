from __future__ import annotations

from typing import Any

import pytest

from inference.errors import BadRequestError
from inference.protocol.requests import parse_infer_request
from tests.inference.protocol.signatures import one_input, request, tensor

INTEGERS = ["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"]
FLOATS = ["FP16", "FP32", "FP64"]


def refusal(datatype: str, *data: Any) -> str:
    given = tensor(datatype=datatype, shape=[len(data)], data=list(data))
    with pytest.raises(BadRequestError) as caught:
        parse_infer_request(request(given), one_input(datatype, (-1,)))
    message = str(caught.value)
    assert "input 'x'" in message
    assert datatype in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("datatype", INTEGERS)
def test_floats_are_not_taken_for_integers(datatype: str) -> None:
    assert "holds floats, expected" in refusal(datatype, 1.0)
    assert "holds floats, expected" in refusal(datatype, 1, 2.5)


@pytest.mark.parametrize("datatype", [*INTEGERS, *FLOATS])
def test_booleans_are_not_taken_for_numbers(datatype: str) -> None:
    assert "holds booleans, expected" in refusal(datatype, True)
    assert "holds booleans, expected" in refusal(datatype, True, False)


@pytest.mark.parametrize(
    ("datatype", "data"),
    [("INT64", [True, 2]), ("UINT8", [1, False]), ("FP32", [True, 2.5]), ("FP64", [1, True])],
)
def test_booleans_among_numbers_are_refused(datatype: str, data: list[Any]) -> None:
    assert "booleans" in refusal(datatype, *data)


@pytest.mark.parametrize("number", [0, 1, 1.0])
def test_numbers_are_not_taken_for_booleans(number: float) -> None:
    assert "expected BOOL elements" in refusal("BOOL", number)
    assert "expected BOOL elements" in refusal("BOOL", True, number)


@pytest.mark.parametrize("element", ["1", "", None, {"a": 1}])
@pytest.mark.parametrize("datatype", ["BOOL", *INTEGERS, *FLOATS])
def test_what_is_no_number_is_refused(datatype: str, element: Any) -> None:
    assert f"expected {datatype} elements" in refusal(datatype, element)


@pytest.mark.parametrize(
    ("element", "kind"), [("1", "strings"), (None, "null"), ({"a": 1}, "objects")]
)
def test_a_refusal_names_the_kind_of_element_that_came(element: Any, kind: str) -> None:
    assert f"holds {kind}, expected FP32 elements" in refusal("FP32", element)


@pytest.mark.parametrize("element", ["2", None, {"a": 1}])
def test_one_wrong_element_among_right_ones_is_refused(element: Any) -> None:
    refusal("FP32", 1.0, element, 3.0)
    refusal("INT64", 1, element, 3)
    refusal("BOOL", True, element)


@pytest.mark.parametrize("element", [1, 1.5, True, None, {"a": 1}])
def test_what_is_no_string_is_refused_for_bytes(element: Any) -> None:
    refusal("BYTES", element)
    refusal("BYTES", "a", element)


LIMITS = {
    "UINT8": (0, 2**8 - 1),
    "UINT16": (0, 2**16 - 1),
    "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1),
    "INT8": (-(2**7), 2**7 - 1),
    "INT16": (-(2**15), 2**15 - 1),
    "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1),
}


@pytest.mark.parametrize("datatype", LIMITS)
def test_integers_end_at_their_datatypes_limits(datatype: str) -> None:
    low, high = LIMITS[datatype]
    for data in ([low], [high], [low, high], [high, 0]):
        given = tensor(datatype=datatype, shape=[len(data)], data=data)
        parsed = parse_infer_request(request(given), one_input(datatype, (-1,)))
        assert parsed.tensors["x"].tolist() == data


@pytest.mark.parametrize("datatype", LIMITS)
def test_integers_beyond_their_datatypes_limits_are_out_of_range(datatype: str) -> None:
    low, high = LIMITS[datatype]
    for data in ([low - 1], [high + 1], [low, high + 1], [low - 1, high], [10**30]):
        assert f"out of {datatype}'s range" in refusal(datatype, *data)


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("FP16", 65520.0),
        ("FP16", -65520.0),
        ("FP16", 65520),
        ("FP32", 3.5e38),
        ("FP32", -3.5e38),
        ("FP32", 10**39),
    ],
)
def test_floats_beyond_their_datatypes_limits_are_out_of_range(datatype: str, value: float) -> None:
    assert f"out of {datatype}'s range" in refusal(datatype, value)
    assert f"out of {datatype}'s range" in refusal(datatype, 1.0, value)


@pytest.mark.parametrize("datatype", FLOATS)
@pytest.mark.parametrize("literal", [b"1e999", b"-1e999"])
def test_a_literal_beyond_every_float_does_not_become_infinity(
    datatype: str, literal: bytes
) -> None:
    given = request(tensor(datatype=datatype, shape=[1], data=[777]))
    with pytest.raises(BadRequestError, match=r"number is infinity .*, at '-?1e999"):
        parse_infer_request(given.replace(b"777", literal), one_input(datatype, (-1,)))
