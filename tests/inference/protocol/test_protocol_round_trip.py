from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto

from inference.http.application import Application
from inference.protocol.datatypes import DTYPES
from inference.protocol.requests import parse_infer_request
from inference.protocol.responses import render_infer_body
from inference.settings import Settings
from tests.inference.protocol.signatures import one_input, request, tensor
from tests.support.calls import infer
from tests.support.examples import examples
from tests.support.models import write_identities
from tests.support.stores import publish_folder

if TYPE_CHECKING:
    from numpy.typing import NDArray

ONNX_TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16,
    "UINT32": TensorProto.UINT32,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}

CUBES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=3)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
STRINGS = st.text(st.characters(exclude_categories=["Cs"]))


def arrays(
    datatype: str, shapes: st.SearchStrategy[tuple[int, ...]] = SHAPES
) -> st.SearchStrategy[NDArray[Any]]:
    if datatype == "BYTES":
        return hnp.arrays(np.object_, shapes, elements=STRINGS)
    dtype = DTYPES[datatype]
    finite = {"allow_nan": False, "allow_infinity": False} if dtype.kind == "f" else {}
    return hnp.arrays(dtype, shapes, elements=finite)


def as_input(name: str, datatype: str, array: NDArray[Any], *, nested: bool) -> dict[str, Any]:
    data = array.tolist() if nested else array.reshape(-1).tolist()
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}


def same(left: NDArray[Any], right: NDArray[Any]) -> bool:
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    return bool(left.tolist() == right.tolist())


@pytest.mark.parametrize("datatype", ONNX_TYPES)
@given(st.data(), st.booleans())
@examples(15)
def test_an_array_comes_out_of_its_json_as_it_went_in(
    datatype: str, data: st.DataObject, nested: bool
) -> None:
    array = data.draw(arrays(datatype))
    sent = request(as_input("x", datatype, array, nested=nested))
    parsed = parse_infer_request(sent, one_input(datatype, (-1,) * array.ndim))
    assert same(parsed.tensors["x"], array)


@pytest.mark.parametrize("datatype", ONNX_TYPES)
@given(st.data())
@examples(15)
def test_a_response_is_a_request_for_the_same_array(datatype: str, data: st.DataObject) -> None:
    array = data.draw(arrays(datatype))
    body, _ = render_infer_body({"x": array}, model="m", version=1)
    response = json.loads(body)
    signature = one_input(datatype, (-1,) * array.ndim)
    parsed = parse_infer_request(request(*response["outputs"]), signature)
    assert same(parsed.tensors["x"], array)


@given(hnp.arrays(np.uint64, SHAPES))
@example(np.array([2**63, 1], np.uint64))
@examples(50)
def test_unsigned_integers_of_64_bits_are_exact(array: NDArray[np.uint64]) -> None:
    given_ = tensor(datatype="UINT64", shape=list(array.shape), data=array.tolist())
    parsed = parse_infer_request(request(given_), one_input("UINT64", (-1,) * array.ndim))
    assert same(parsed.tensors["x"], array)


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """A model with one input and output of each datatype, behind the whole surface."""
    root = tmp_path_factory.mktemp("identities")
    write_identities(root / "identities", ONNX_TYPES)
    publish_folder(root / "store", root / "identities")
    return Application(Settings(root / "store", ref_ttl_s=3600.0))


@given(st.fixed_dictionaries({datatype: arrays(datatype, CUBES) for datatype in ONNX_TYPES}))
@examples(15, *HealthCheck)
def test_every_datatype_comes_through_a_model_as_it_went_in(
    identities: Application, given_arrays: dict[str, NDArray[Any]]
) -> None:
    inputs = [
        as_input(f"in_{datatype}", datatype, array, nested=False)
        for datatype, array in given_arrays.items()
    ]
    answer = infer(identities, {"inputs": inputs}, model="identities")
    assert answer.status == 200, answer.body
    outputs = {output["datatype"]: output for output in answer.json["outputs"]}
    for datatype, array in given_arrays.items():
        assert outputs[datatype]["name"] == f"out_{datatype}"
        assert outputs[datatype]["shape"] == list(array.shape)
        # A float32 comes in the digits that it takes: another float64, and the same float32.
        data = np.array(outputs[datatype]["data"], array.dtype)
        assert data.tolist() == array.reshape(-1).tolist()
