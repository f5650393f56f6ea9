from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from inference.errors import BadRequestError
from inference.protocol.datatypes import BFLOAT16, DTYPES, datatype_of
from inference.protocol.requests import check_tensors
from inference.protocol.responses import render_infer_body, render_metadata
from model_store.signature import Signature, TensorSpec
from tests.inference.protocol.signatures import one_input, signature


def response_of(outputs: dict[str, Any], request_id: str | None = None) -> Any:
    body, length = render_infer_body(outputs, model="m", version=7, request_id=request_id)
    assert length is None
    return json.loads(body, parse_constant=pytest.fail)


def rendered(array: Any) -> Any:
    return response_of({"y": array})["outputs"][0]


def test_a_response_names_its_model_and_version() -> None:
    assert response_of({}) == {"model_name": "m", "model_version": "7", "outputs": []}


@pytest.mark.parametrize("name", ["", "a", "é\n"])
def test_an_id_is_echoed(name: str) -> None:
    assert response_of({}, name)["id"] == name


def test_data_is_flat_and_row_major() -> None:
    array = np.arange(6, dtype=np.int32).reshape(2, 3)
    expected = {"name": "y", "datatype": "INT32", "shape": [2, 3], "data": [0, 1, 2, 3, 4, 5]}
    assert rendered(array) == expected
    assert rendered(np.asfortranarray(array)) == expected
    assert rendered(array.T)["data"] == [0, 3, 1, 4, 2, 5]


def test_outputs_keep_their_order() -> None:
    outputs = {name: np.zeros(1, np.float32) for name in "cab"}
    response = response_of(outputs)
    assert [output["name"] for output in response["outputs"]] == ["c", "a", "b"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_float_that_json_has_no_form_for_is_null(dtype: Any) -> None:
    array = np.array([[1.0, np.nan], [np.inf, -np.inf]], dtype)
    assert rendered(array)["data"] == [1.0, None, None, None]


def test_a_scalar_and_an_empty_array_have_data_too() -> None:
    assert rendered(np.array(2.5, np.float32)) == {
        "name": "y",
        "datatype": "FP32",
        "shape": [],
        "data": [2.5],
    }
    assert rendered(np.zeros((0, 3), np.float64))["data"] == []


def test_strings_stay_strings() -> None:
    output = rendered(np.array(["a", "é\x00"], np.object_))
    assert (output["datatype"], output["data"]) == ("BYTES", ["a", "é\x00"])


@pytest.mark.parametrize(("name", "dtype"), DTYPES.items(), ids=DTYPES)
def test_datatypes_and_dtypes_are_each_others_inverse(name: str, dtype: np.dtype[Any]) -> None:
    assert datatype_of(np.zeros(1, dtype)) == name


def test_metadata_lists_the_signature() -> None:
    given = Signature(
        (TensorSpec("x", "FP32", (-1, 2)), TensorSpec("s", "BYTES", ())),
        (TensorSpec("y", "INT64", None),),
    )
    assert render_metadata("m", [1, 3], given) == {
        "name": "m",
        "versions": ["1", "3"],
        "platform": "onnx_onnxv1",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 2]},
            {"name": "s", "datatype": "BYTES", "shape": []},
        ],
        "outputs": [{"name": "y", "datatype": "INT64", "shape": [-1]}],
    }


TWO_ROWS = np.zeros((2, 2), np.float32)

MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({}, "input 'x' is missing"),
    "too many": ({"x": TWO_ROWS, "w": TWO_ROWS}, "no input 'w'"),
    "dtype": ({"x": TWO_ROWS.astype(np.float64)}, "has dtype float64, expected float32 (FP32)"),
    "rank": ({"x": TWO_ROWS[0]}, "has shape [2], expected [-1, 2]"),
    "size": ({"x": TWO_ROWS.reshape(4, 1)}, "has shape [4, 1], expected [-1, 2]"),
}


@pytest.mark.parametrize(("tensors", "said"), MISFITS.values(), ids=MISFITS)
def test_arrays_that_do_not_fit_the_signature_are_refused(
    tensors: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadRequestError) as caught:
        check_tensors(tensors, one_input("FP32", (-1, 2)).inputs)
    assert said in str(caught.value)


def test_arrays_that_fit_the_signature_pass() -> None:
    check_tensors({"x": TWO_ROWS}, one_input("FP32", (-1, 2)).inputs)
    check_tensors({"x": TWO_ROWS[0]}, one_input("FP32", None).inputs)
    check_tensors({"x": np.zeros(1, BFLOAT16)}, signature(("x", "BF16", (1,))).inputs)
