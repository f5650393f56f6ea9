"""The binary tensor data extension, in both directions, by events as API Gateway sends them."""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from inference.errors import BadRequestError
from inference.http.application import Application
from inference.protocol import bfloat16
from inference.protocol.binary_tensors import raw_input, split_body, to_bytes, to_tensor
from inference.protocol.datatypes import BFLOAT16, DTYPES
from inference.settings import Settings
from model_store.signature import TensorSpec
from tests.inference.protocol.test_protocol_round_trip import CUBES, ONNX_TYPES, arrays
from tests.support.calls import Answer, http_event, send
from tests.support.examples import examples
from tests.support.models import write_identities, write_identity
from tests.support.stores import ADDER, publish_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

LENGTH = "inference-header-content-length"
STEP_OF_3 = 300.0


def call(
    handler: Any,
    document: Mapping[str, Any] | None,
    tails: list[bytes],
    *,
    model: str = ADDER,
    length: str | None = None,
) -> Answer:
    head = b"" if document is None else json.dumps(document).encode()
    headers = {LENGTH: str(len(head)) if length is None else length}
    body = head + b"".join(tails)
    return send(
        handler, http_event("POST", f"/v2/models/{model}/infer", body=body, headers=headers)
    )


def described(name: str, datatype: str, shape: list[int], n_bytes: int) -> dict[str, Any]:
    parameters = {"binary_data_size": n_bytes}
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}


def outputs_of(answer: Answer) -> dict[str, Any]:
    """The outputs of an answer by name: JSON data as lists, binary ones as bytes."""
    length = answer.headers.get("Inference-Header-Content-Length")
    if length is None:
        return {each["name"]: each["data"] for each in answer.json["outputs"]}
    document = json.loads(answer.body[: int(length)])
    found: dict[str, Any] = {}
    place = int(length)
    for each in document["outputs"]:
        size = each.get("parameters", {}).get("binary_data_size")
        found[each["name"]] = each["data"] if size is None else answer.body[place : place + size]
        place += size or 0
    assert place == len(answer.body)
    return found


X = np.array([[1.0, 2.0]], np.float32)
REQUEST = {"inputs": [described("x", "FP32", [1, 2], 8)]}


def test_binary_in_json_out(application: Application) -> None:
    answer = call(application, REQUEST, [X.tobytes()])
    assert answer.status == 200
    assert outputs_of(answer) == {"y": [1.0 + STEP_OF_3, 2.0 + STEP_OF_3]}


@pytest.mark.parametrize(
    ("wanted", "binary"),
    [
        ({"parameters": {"binary_data_output": True}}, True),
        ({"parameters": {"binary_data_output": False}}, False),
        ({"outputs": [{"name": "y", "parameters": {"binary_data": True}}]}, True),
        ({"outputs": [{"name": "y", "parameters": {"binary_data": False}}]}, False),
        ({"outputs": [{"name": "y"}], "parameters": {"binary_data_output": True}}, True),
        (
            {
                "outputs": [{"name": "y", "parameters": {"binary_data": False}}],
                "parameters": {"binary_data_output": True},
            },
            False,
        ),
        ({"outputs": [], "parameters": {"binary_data_output": True, "priority": 3}}, True),
    ],
)
def test_outputs_come_back_as_they_are_asked_for(
    application: Application, wanted: dict[str, Any], binary: bool
) -> None:
    answer = call(application, {**REQUEST, "id": "7", **wanted}, [X.tobytes()])
    assert answer.status == 200
    data = outputs_of(answer)["y"]
    assert isinstance(data, bytes) == binary
    values = np.frombuffer(data, np.float32).tolist() if binary else data
    assert values == [1.0 + STEP_OF_3, 2.0 + STEP_OF_3]
    if binary:
        length = int(answer.headers["Inference-Header-Content-Length"])
        assert json.loads(answer.body[:length]) == {
            "model_name": ADDER,
            "model_version": "3",
            "id": "7",
            "outputs": [described("y", "FP32", [1, 2], 8)],
        }


def test_a_raw_body_is_the_one_input_and_everything_comes_back_raw(
    application: Application,
) -> None:
    many = np.arange(6, dtype=np.float32)
    answer = call(application, None, [many.tobytes()])
    assert answer.status == 200
    found = np.frombuffer(outputs_of(answer)["y"], np.float32)
    assert found.tolist() == (many + np.float32(STEP_OF_3)).tolist()


REFUSED: dict[str, tuple[dict[str, Any] | None, list[bytes], str | None, str]] = {
    "too few bytes": (REQUEST, [X.tobytes()[:7]], None, "size 8, but the body has only 7 bytes"),
    "too many bytes": (REQUEST, [X.tobytes(), b"1"], None, "has 1 bytes after the last tensor"),
    "bytes that nobody names": (
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 2]}]},
        [b"1234"],
        None,
        "the body has 4 bytes after the last tensor",
    ),
    "a size that the shape has not": (
        {"inputs": [described("x", "FP32", [1, 2], 4)]},
        [X.tobytes()[:4]],
        None,
        "has 4 bytes, expected 8 for shape [1, 2] of FP32",
    ),
    "both data and bytes": (
        {"inputs": [described("x", "FP32", [1, 2], 8) | {"data": [1, 2]}]},
        [X.tobytes()],
        None,
        "has both 'data' and binary_data_size",
    ),
    "a negative size": (
        {"inputs": [described("x", "FP32", [1, 2], -8)]},
        [],
        None,
        "binary_data_size of 'x' is not a number of bytes",
    ),
    "a size that is true": (
        {"inputs": [described("x", "FP32", [1, 2], True)]},
        [],
        None,
        "binary_data_size of 'x' is not a number of bytes",
    ),
    "parameters that are a list": (
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "parameters": []}]},
        [],
        None,
        "the 'parameters' of 'x' are not an object",
    ),
    "a flag that is a number": (
        REQUEST | {"parameters": {"binary_data_output": 1}},
        [X.tobytes()],
        None,
        "'binary_data_output' of the request is neither true nor false",
    ),
    "a length that is none": (REQUEST, [X.tobytes()], "eight", "is 'eight': expected 0 to"),
    "a negative length": (REQUEST, [X.tobytes()], "-1", "is '-1': expected 0 to"),
    "a length of more digits than Python reads": (
        REQUEST, [X.tobytes()], "9" * 4301, "99': expected 0 to",
    ),
    "a length beyond the body": (REQUEST, [], "99999", "is '99999': expected 0 to"),
    "a length within the JSON": (REQUEST, [X.tobytes()], "20", "the body is not JSON"),
    "raw bytes that make no rows": (None, [b"1234567"], None, "expected a multiple of 8"),
}  # fmt: skip


@pytest.mark.parametrize(("document", "tails", "length", "message"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_fit_is_refused_by_name(
    application: Application,
    document: dict[str, Any] | None,
    tails: list[bytes],
    length: str | None,
    message: str,
) -> None:
    answer = call(application, document, tails, length=length)
    assert answer.status == 400, answer.body
    assert message in answer.error


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """A model for each datatype that gives its input back, of any three sizes."""
    root = tmp_path_factory.mktemp("identities")
    for datatype, onnx_type in ONNX_TYPES.items():
        folder = root / "sources" / datatype.lower()
        write_identities(folder, {datatype: onnx_type})
        publish_folder(root / "store", folder)
    return Application(Settings(root / "store", ref_ttl_s=3600.0))


@pytest.mark.parametrize("datatype", ONNX_TYPES)
@examples(15, HealthCheck.too_slow)
@given(data=st.data())
def test_any_tensor_comes_back_equal_as_bytes(
    identities: Application, datatype: str, data: st.DataObject
) -> None:
    array = data.draw(arrays(datatype, CUBES))
    sent = bytes(to_bytes(array))
    document = {
        "inputs": [described(f"in_{datatype}", datatype, list(array.shape), len(sent))],
        "parameters": {"binary_data_output": True},
    }
    answer = call(identities, document, [sent], model=datatype.lower())
    assert answer.status == 200, answer.body
    [(_, back)] = outputs_of(answer).items()
    assert back == sent


def test_an_input_is_a_view_of_the_body_where_the_processor_can_read_it_there() -> None:
    body = b"12345678" + np.arange(1000, dtype=np.float32).tobytes()
    _, tail = split_body(body, "8")
    data = tail.take(4000, "x")
    tensor = to_tensor(data, shape=(1000,), name="x", datatype="FP32")
    assert np.shares_memory(tensor, np.frombuffer(body, np.uint8))
    _, tail = split_body(b"1" + body[8:], "1")
    moved = to_tensor(tail.take(4000, "x"), shape=(1000,), name="x", datatype="FP32")
    assert moved.flags.aligned or moved.flags.owndata
    assert moved.tolist() == tensor.tolist()


def test_an_output_is_not_copied_before_it_is_joined() -> None:
    tensor = np.arange(1000, dtype=np.float32)
    view = to_bytes(tensor)
    assert np.shares_memory(np.frombuffer(view, np.uint8), tensor)


def specs(*shapes: tuple[int, ...] | None, datatype: str = "FP32") -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(f"x{i}", datatype, shape) for i, shape in enumerate(shapes))


@pytest.mark.parametrize(
    ("shape", "n_bytes", "expected"),
    [
        ((2, 2), 16, (2, 2)),
        ((-1, 2), 16, (2, 2)),
        ((2, -1), 24, (2, 3)),
        ((-1,), 0, (0,)),
        ((-1, 2), 0, (0, 2)),
        ((), 4, ()),
        ((-1, 0), 0, (0, 0)),
    ],
)
def test_the_shape_of_a_raw_input_follows_from_its_bytes(
    shape: tuple[int, ...], n_bytes: int, expected: tuple[int, ...]
) -> None:
    assert raw_input(bytes(n_bytes), specs(shape))["x0"].shape == expected


@pytest.mark.parametrize(
    ("given", "body", "message"),
    [
        (specs((2,), (2,)), b"", "the model has 2"),
        (specs((-1, -1)), b"1234", "does not determine the shape of input 'x0'"),
        (specs(None), b"1234", "does not determine the shape of input 'x0'"),
        (specs((2,)), b"1234", "has 4 bytes, expected 8"),
        (specs((-1, 0)), b"1234", "has 4 bytes, expected 0"),
        (specs((1,), datatype="BYTES"), b"\xff", "is not UTF-8"),
        (specs((1,), datatype="BOOL"), b"\x02", "neither 0 nor 1"),
        (specs((-1, 3), datatype="BYTES"), b"a", r"shape \[-1, 3\] is not one string"),
        (specs((0,), datatype="BYTES"), b"a", "is not one string"),
    ],
)
def test_a_raw_input_that_cannot_be_is_refused(
    given: tuple[TensorSpec, ...], body: bytes, message: str
) -> None:
    with pytest.raises(BadRequestError, match=message):
        raw_input(body, given)


def test_a_raw_string_is_one_element() -> None:
    given = specs((-1, 1), datatype="BYTES")
    assert raw_input("é".encode(), given)["x0"].tolist() == [["é"]]


@pytest.mark.parametrize("shape", [(), (1,), (-1,), (1, -1, 1)])
def test_a_raw_string_has_as_many_dimensions_as_its_input(shape: tuple[int, ...]) -> None:
    given = specs(shape, datatype="BYTES")
    assert raw_input(b"a", given)["x0"].shape == (1,) * len(shape)


def packed(*items: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(item)) + item for item in items)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (packed(b"a"), "holds 1 strings, expected 2"),
        (packed(b"a", b"b", b""), "holds 3 strings, expected 2"),
        (packed(b"a") + b"\x01", "ends within an element's length"),
        (
            packed(b"a") + struct.pack("<I", 2**32 - 1) + b"b",
            "ends within an element of 4294967295",
        ),
        (packed(b"a", b"\xc3"), "is not UTF-8"),
    ],
)
def test_strings_that_are_none_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        to_tensor(memoryview(data), shape=(2,), name="x", datatype="BYTES")


def test_strings_come_back_as_they_were() -> None:
    data = packed(b"", "é\0".encode())
    tensor = to_tensor(memoryview(data), shape=(2, 1), name="x", datatype="BYTES")
    assert tensor.tolist() == [[""], ["é\0"]]
    assert to_bytes(tensor) == data


def test_every_datatype_of_the_protocol_is_there() -> None:
    assert set(ONNX_TYPES) | {"BF16"} == set(DTYPES)


def as_bfloat16(values: list[float]) -> NDArray[Any]:
    bits = (np.array(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    return bits.view(BFLOAT16)


def test_bfloat16_goes_in_and_out_as_bytes_and_out_as_json(tmp_path: Path) -> None:
    from onnx import TensorProto  # noqa: PLC0415

    write_identity(tmp_path / "bf16", TensorProto.BFLOAT16, shape=[-1])
    publish_folder(tmp_path / "store", tmp_path / "bf16")
    application = Application(Settings(tmp_path / "store"))
    sent = as_bfloat16([1.5, -2.0, 0.0]).tobytes()
    document = {"inputs": [described("x", "BF16", [3], len(sent))]}
    [values] = outputs_of(call(application, document, [sent], model="bf16")).values()
    assert values == [1.5, -2.0, 0.0]
    document["parameters"] = {"binary_data_output": True}  # type: ignore[assignment]
    [back] = outputs_of(call(application, document, [sent], model="bf16")).values()
    assert back == sent


def test_bfloat16_without_a_dimension_comes_back_without_one(tmp_path: Path) -> None:
    from onnx import TensorProto  # noqa: PLC0415

    path = write_identity(tmp_path / "bf16", TensorProto.BFLOAT16, shape=[])
    sent = as_bfloat16([1.5]).reshape(())
    [back] = bfloat16.run(onnxruntime.InferenceSession(str(path)), ["y"], {"x": sent})
    assert (back.shape, back) == ((), sent)
