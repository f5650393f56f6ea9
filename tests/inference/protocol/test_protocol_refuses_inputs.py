from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.errors import BadRequestError
from inference.protocol.requests import parse_infer_request
from tests.inference.protocol.signatures import ANY_RANK, one_input, request, signature, tensor

if TYPE_CHECKING:
    from model_store.signature import Signature

TWO = signature(("x", "FP32", (-1, 2)), ("z", "INT64", (1,)))
Z = tensor("z", datatype="INT64", shape=[1], data=[1])


def refusal(signature: Signature, *tensors: dict[str, Any]) -> str:
    with pytest.raises(BadRequestError) as caught:
        parse_infer_request(request(*tensors), signature)
    message = str(caught.value)
    assert "\n" not in message
    return message


def refusal_of(datatype: str, shape: list[Any], data: Any) -> str:
    rank = (-1,) * len(shape)
    given = tensor(datatype=datatype, shape=shape, data=data)
    return refusal(one_input(datatype, rank), given)


NAMES = {
    "one is missing": ([tensor()], ["input 'z' is missing", "expected 'x', 'z', got 'x'"]),
    "one has another name": ([tensor(), tensor("w")], ["'z' is missing", "got 'x', 'w'"]),
    "one too many": ([tensor(), Z, tensor("w")], ["no input 'w'", "expected 'x', 'z'"]),
    "one twice": ([tensor(), Z, tensor()], ["'x' twice"]),
    "none": ([], ["input 'x' is missing", "expected 'x', 'z', got none"]),
}


@pytest.mark.parametrize(("tensors", "said"), NAMES.values(), ids=NAMES)
def test_the_inputs_are_those_of_the_signature(
    tensors: list[dict[str, Any]], said: list[str]
) -> None:
    message = refusal(TWO, *tensors)
    assert [part for part in said if part not in message] == []


@pytest.mark.parametrize("came", ["FP64", "fp32", "INT64", "FLOAT", "", None, 1, ["FP32"], {}])
def test_the_datatype_is_that_of_the_signature(came: Any) -> None:
    message = refusal(one_input("FP32", (-1, 2)), tensor(datatype=came))
    assert message == f"input 'x' has datatype {came!r}, expected FP32"


def test_a_missing_datatype_is_refused() -> None:
    given = tensor()
    del given["datatype"]
    assert "datatype None, expected FP32" in refusal(one_input("FP32", (-1, 2)), given)


def test_a_datatype_that_json_cannot_carry_is_refused() -> None:
    message = refusal(one_input("BF16", (1,)), tensor(datatype="BF16", shape=[1], data=[1.0]))
    assert message == (
        "input 'x': BF16 cannot be sent as JSON, send it as binary data (binary_data_size)"
    )


SHAPES = {
    "a rank too low": ((-1, 2), [2], "has shape [2], expected [-1, 2] (-1 is any size)"),
    "a rank too high": ((-1, 2), [1, 1, 2], "has shape [1, 1, 2], expected [-1, 2]"),
    "another fixed size": ((-1, 2), [1, 3], "has shape [1, 3], expected [-1, 2]"),
    "all fixed": ((4, 2), [1, 2], "has shape [1, 2], expected [4, 2]"),
    "a scalar wanted": ((), [1], "has shape [1], expected []"),
    "a scalar given": ((1,), [], "has shape [], expected [1]"),
    "minus one": ((-1, 2), [-1, 2], "not a list of sizes"),
    "minus one where the rank is open": (ANY_RANK, [-1], "not a list of sizes"),
    "true": ((-1, 2), [True, 2], "not a list of sizes"),
    "a float": ((-1, 2), [1.0, 2], "not a list of sizes"),
    "a string": ((-1, 2), ["1", 2], "not a list of sizes"),
    "null in it": ((-1, 2), [None, 2], "not a list of sizes"),
    "null": ((-1, 2), None, "not a list of sizes"),
    "an object": ((-1, 2), {}, "not a list of sizes"),
    "a number": ((-1,), 2, "not a list of sizes"),
    "huge": ((-1, 2), [2**62, 2], "shape"),
    "beyond 64 bits": ((-1, 2), [2**80, 2], "shape"),
    "beyond every float": ((-1, 2), [10**300, 2], "not a list of sizes"),
}


@pytest.mark.parametrize(("expected", "shape", "said"), SHAPES.values(), ids=SHAPES)
def test_the_shape_fits_the_signature(
    expected: tuple[int, ...] | None, shape: Any, said: str
) -> None:
    message = refusal(one_input("FP32", expected), tensor(shape=shape))
    assert said in message
    assert "input 'x'" in message


def test_a_shape_of_fixed_sizes_is_not_explained() -> None:
    message = refusal(one_input("FP32", (4, 2)), tensor())
    assert "-1" not in message


DATA = {
    "too few": ([2], [1.0], "has 1 elements in 'data', expected 2 for shape [2]"),
    "too many": ([2], [1.0, 2.0, 3.0], "has 3 elements in 'data', expected 2 for shape [2]"),
    "too many, nested": ([1, 2], [[1.0, 2.0], [3.0, 4.0]], "4 elements in 'data', expected 2"),
    "a zero-length shape": ([0, 2], [1.0, 2.0], "has 2 elements in 'data', expected 0"),
    "ragged": ([2, 2], [[1.0, 2.0], [3.0]], "ragged or not made of FP32 elements"),
    "ragged in depth": ([2], [1.0, [2.0]], "ragged or not made of FP32 elements"),
    "nested the other way": ([2, 1], [[1.0, 2.0]], "nests as [1, 2], expected [2, 1]"),
    "nested too deep": ([2], [[1.0], [2.0]], "nests as [2, 1], expected [2]"),
    "nested less deep than the shape": ([2, 1, 1], [[1.0], [2.0]], "nests as [2, 1], expected"),
    "empty, nested the other way": ([0, 2], [[], []], "nests as [2, 0], expected [0, 2]"),
    "nested beyond numpy": ([1], eval("[" * 70 + "1.0" + "]" * 70), "FP32 elements"),  # noqa: S307
    "nested for a scalar": ([], [[1.0]], "nests as [1, 1], expected []"),
}


@pytest.mark.parametrize(("shape", "data", "said"), DATA.values(), ids=DATA)
def test_the_data_fits_the_shape(shape: list[int], data: Any, said: str) -> None:
    message = refusal_of("FP32", shape, data)
    assert said in message
    assert "input 'x'" in message


def test_an_input_without_data_is_refused() -> None:
    given = tensor()
    del given["data"]
    assert refusal(one_input("FP32", (-1, 2)), given) == "input 'x' has no 'data'"
