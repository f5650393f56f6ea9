from __future__ import annotations

import json
from functools import reduce
from typing import Any

import numpy as np
import pytest

from inference.protocol.requests import InferRequest, parse_infer_request
from model_store.signature import Signature, TensorSpec
from tests.inference.protocol.signatures import ANY_RANK, one_input, request, signature, tensor


def parse(shape: list[int], data: Any, *, datatype: str = "FP32") -> Any:
    given = tensor(datatype=datatype, shape=shape, data=data)
    signature = one_input(datatype, (-1,) * len(shape))
    return parse_infer_request(request(given), signature).tensors["x"]


@pytest.mark.parametrize("data", [[1, 2, 3, 4, 5, 6], [[1, 2, 3], [4, 5, 6]]])
def test_data_may_be_flat_or_nested(data: Any) -> None:
    array = parse([2, 3], data)
    assert array.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert array.dtype == np.float32


@pytest.mark.parametrize("data", [3.5, [3.5]])
def test_a_scalar_has_the_shape_of_an_empty_list(data: Any) -> None:
    array = parse([], data)
    assert array.shape == ()
    assert array[()] == np.float32(3.5)


@pytest.mark.parametrize("datatype", ["FP32", "INT64", "BOOL", "BYTES"])
@pytest.mark.parametrize(
    ("shape", "data"),
    [([0], []), ([0, 3], []), ([2, 0], []), ([2, 0], [[], []]), ([2, 0, 3], [[], []])],
)
def test_a_size_may_be_zero(datatype: str, shape: list[int], data: Any) -> None:
    array = parse(shape, data, datatype=datatype)
    assert array.shape == tuple(shape)
    assert array.dtype == parse([1], [{"BYTES": "a", "BOOL": True}.get(datatype, 1)],
                                datatype=datatype).dtype  # fmt: skip


def test_integers_are_taken_for_floats() -> None:
    assert parse([2], [1, 2]).tolist() == [1.0, 2.0]
    assert parse([2], [1, 2.5], datatype="FP64").tolist() == [1.0, 2.5]


@pytest.mark.parametrize("number", [2**53, 2**63, 2**64, 10**20, 10**38])
def test_a_float_may_be_written_as_an_integer_of_any_length(number: int) -> None:
    # ECMAScript writes 1e20 as 100000000000000000000.
    assert parse([1], [number], datatype="FP64").tolist() == [float(number)]
    assert parse([2], [number, 0.5], datatype="FP64").tolist() == [float(number), 0.5]


def test_strings_keep_every_character() -> None:
    strings = ["", "a\x00", "é😀", " \n", "\x00"]
    assert parse([5], strings, datatype="BYTES").tolist() == strings


def test_an_input_of_any_rank_takes_each() -> None:
    for shape in ([], [2], [1, 2], [2, 1, 1, 1], [0]):
        given = tensor(shape=shape, data=[1.0] * int(np.prod(shape)))
        parsed = parse_infer_request(request(given), one_input("FP32", ANY_RANK))
        assert parsed.tensors["x"].shape == tuple(shape)


NESTED_64_DEEP = reduce(lambda inner, _: [inner], range(64), 2.0)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("data", [[2.0], NESTED_64_DEEP], ids=["flat", "nested"])
def test_an_input_may_have_as_many_sizes_as_an_array_can(data: Any) -> None:
    given = tensor(shape=[1] * 64, data=data)
    parsed = parse_infer_request(request(given), one_input("FP32", ANY_RANK))
    assert parsed.tensors["x"].shape == (1,) * 64


def test_inputs_come_in_the_order_of_the_signature() -> None:
    wanted = signature(("a", "FP32", (-1, 2)), ("b", "FP32", (-1, 2)))
    parsed = parse_infer_request(request(tensor("b"), tensor("a")), wanted)
    assert list(parsed.tensors) == ["a", "b"]


def test_a_model_without_inputs_takes_an_empty_list() -> None:
    nothing = Signature((), (TensorSpec("y", "FP32", (1,)),))
    assert parse_infer_request(request(), nothing) == InferRequest(None, {}, None)


@pytest.mark.parametrize("extra", [{}, {"id": None}, {"outputs": None}, {"outputs": []}])
def test_what_is_optional_may_be_left_out(extra: dict[str, Any]) -> None:
    parsed = parse_infer_request(request(tensor(), **extra), one_input("FP32", (-1, 2)))
    assert (parsed.id, parsed.outputs) == (None, None)


@pytest.mark.parametrize("name", ["", "a", "é\n"])
def test_an_id_is_kept(name: str) -> None:
    parsed = parse_infer_request(request(tensor(), id=name), one_input("FP32", (-1, 2)))
    assert parsed.id == name


def test_outputs_are_asked_for_by_name_in_the_callers_order() -> None:
    x = TensorSpec("x", "FP32", (-1, 2))
    three = Signature((x,), tuple(x._replace(name=name) for name in "abc"))
    asked = [{"name": "c", "parameters": {"binary_data": False}}, {"name": "a"}]
    parsed = parse_infer_request(request(tensor(), outputs=asked), three)
    assert parsed.outputs == ("c", "a")


def test_parameters_and_unknown_fields_are_let_pass() -> None:
    document = json.loads(request(tensor(parameters={"a": 1})))
    document |= {"parameters": {"priority": 1}, "timeout": 5}
    parsed = parse_infer_request(json.dumps(document).encode(), one_input("FP32", (-1, 2)))
    assert parsed.tensors["x"].tolist() == [[1.0, 2.0]]
