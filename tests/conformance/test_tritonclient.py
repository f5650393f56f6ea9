"""Triton's own client (the package tritonclient), synchronous and asyncio, against the server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from model_store.release import VERSION
from tests.conformance.conftest import TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

X = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


@pytest.fixture
def client(base_url: str) -> Iterator[Any]:
    client = triton.InferenceServerClient(base_url.removeprefix("http://"))
    yield client
    client.close()


def tensor(name: str, array: NDArray[Any], datatype: str, *, binary: bool) -> Any:
    found = triton.InferInput(name, list(array.shape), datatype)
    found.set_data_from_numpy(array, binary_data=binary)
    return found


def test_the_server_is_alive_and_ready_and_says_what_it_is(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    found = client.get_server_metadata()
    assert (found["name"], found["version"]) == ("coldpress", VERSION)
    assert "binary_tensor_data" in found["extensions"]


def test_models_and_versions_are_described(client: Any) -> None:
    assert client.is_model_ready("adder")
    assert client.is_model_ready("adder", "1")
    assert not client.is_model_ready("adder", "9")
    assert not client.is_model_ready("nosuch")
    found = client.get_model_metadata("adder")
    assert found["versions"] == ["1", "2"]
    assert found["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}]
    config = client.get_model_config("adder")
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 2]}]


@pytest.mark.parametrize("sent", [False, True])
@pytest.mark.parametrize("received", [False, True])
@pytest.mark.parametrize("compression", [None, "gzip", "deflate"])
def test_an_inference_in_every_form(
    client: Any, sent: bool, received: bool, compression: str | None
) -> None:
    many = np.tile(X, (400, 1))
    result = client.infer(
        "adder",
        [tensor("x", many, "FP32", binary=sent)],
        outputs=[triton.InferRequestedOutput("y", binary_data=received)],
        request_id="42",
        request_compression_algorithm=compression,
        response_compression_algorithm=compression,
    )
    response = result.get_response()
    assert (response["id"], response["model_version"]) == ("42", "2")
    np.testing.assert_array_equal(result.as_numpy("y"), many + 200)


def test_without_named_outputs_the_client_asks_for_all_as_bytes(client: Any) -> None:
    result = client.infer("adder", [tensor("x", X, "FP32", binary=True)])
    assert result.get_response()["outputs"][0]["parameters"]["binary_data_size"] == 16
    np.testing.assert_array_equal(result.as_numpy("y"), X + 200)


@pytest.mark.parametrize(("version", "constant"), [("1", 100), ("2", 200), ("", 200)])
def test_a_version_is_called_by_its_number(client: Any, version: str, constant: int) -> None:
    result = client.infer("adder", [tensor("x", X, "FP32", binary=True)], model_version=version)
    np.testing.assert_array_equal(result.as_numpy("y"), X + constant)


def test_one_input_as_bytes_and_one_as_json(client: Any) -> None:
    inputs = [tensor("b", X, "FP32", binary=True), tensor("a", X, "FP32", binary=False)]
    np.testing.assert_array_equal(client.infer("sum", inputs).as_numpy("y"), X + X)


EXAMPLES: dict[str, NDArray[Any]] = {
    "BOOL": np.array([[[True, False]]]),
    "UINT8": np.array([[[0, 255]]], np.uint8),
    "UINT16": np.array([[[0, 2**16 - 1]]], np.uint16),
    "UINT32": np.array([[[0, 2**32 - 1]]], np.uint32),
    "UINT64": np.array([[[0, 2**64 - 1]]], np.uint64),
    "INT8": np.array([[[-128, 127]]], np.int8),
    "INT16": np.array([[[-(2**15), 2**15 - 1]]], np.int16),
    "INT32": np.array([[[-(2**31), 2**31 - 1]]], np.int32),
    "INT64": np.array([[[-(2**63), 2**63 - 1]]], np.int64),
    "FP16": np.array([[[1.5, -65504.0]]], np.float16),
    "FP32": np.array([[[1.5, 3.4e38]]], np.float32),
    "FP64": np.array([[[1e-300, 1e300]]], np.float64),
    "BYTES": np.array([[["", "héllo\n"]]], np.object_),
    "BF16": np.array([[[1.5, -2.0]]], ml_dtypes.bfloat16),
}


@pytest.mark.parametrize("datatype", TYPES)
@pytest.mark.parametrize("binary", [False, True])
def test_every_datatype_comes_back_as_it_went(client: Any, datatype: str, binary: bool) -> None:
    if datatype in {"BF16", "FP16"} and not binary:
        return  # the client itself refuses to spell them as JSON
    array = EXAMPLES[datatype]
    sent = tensor(f"in_{datatype}", array, datatype, binary=binary)
    wanted = triton.InferRequestedOutput(f"out_{datatype}", binary_data=binary)
    result = client.infer(f"identity-{datatype.lower()}", [sent], outputs=[wanted])
    found = result.as_numpy(f"out_{datatype}")
    if datatype == "BYTES":
        found = np.array([each.decode() if binary else each for each in found.reshape(-1)])
        assert found.tolist() == array.reshape(-1).tolist()
    else:
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


def test_statistics_count_its_calls(client: Any) -> None:
    before = client.get_inference_statistics("sum")["model_stats"]
    counted = before[0]["inference_count"] if before else 0
    inputs = [tensor(name, X, "FP32", binary=True) for name in "ab"]
    client.infer("sum", inputs)
    [after] = client.get_inference_statistics("sum", "1")["model_stats"]
    assert after["inference_count"] == counted + 1


def test_the_repository_is_listed_loaded_and_unloaded(client: Any) -> None:
    client.load_model("sum")
    assert {"name": "sum", "version": "1", "state": "READY", "reason": ""} in (
        client.get_model_repository_index()
    )
    client.unload_model("sum")
    states = {each["name"]: each["state"] for each in client.get_model_repository_index()}
    assert states["sum"] == "UNAVAILABLE"


@pytest.mark.parametrize(
    ("model", "name", "array", "message"),
    [
        ("adder", "z", X, "input 'x' is missing"),
        ("adder", "x", X.astype(np.float64), "has datatype 'FP64', expected FP32"),
        ("adder", "x", X.reshape(-1), r"has shape \[4\], expected \[-1, 2\]"),
        ("nosuch", "x", X, "no model is named 'nosuch'"),
    ],
)
def test_what_is_wrong_is_an_exception_that_says_so(
    client: Any, model: str, name: str, array: NDArray[Any], message: str
) -> None:
    datatype = np_to_triton_dtype(array.dtype)
    with pytest.raises(InferenceServerException, match=message):
        client.infer(model, [tensor(name, array, datatype, binary=True)])


def test_many_calls_by_asyncio(base_url: str) -> None:
    async def call() -> list[Any]:
        async with triton_aio.InferenceServerClient(base_url.removeprefix("http://")) as client:
            assert await client.is_server_ready()
            calls = [
                client.infer(
                    "adder",
                    [tensor("x", X + number, "FP32", binary=number % 2 == 0)],
                    request_compression_algorithm="gzip" if number % 3 == 0 else None,
                )
                for number in range(24)
            ]
            return [result.as_numpy("y") for result in await asyncio.gather(*calls)]

    for number, found in enumerate(asyncio.run(call())):
        np.testing.assert_array_equal(found, X + number + 200)
