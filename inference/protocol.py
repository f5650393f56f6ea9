"""The Open Inference Protocol: requests to tensors, tensors to responses. Pure.

Every request is held against the model's signature before the session sees it, and a refusal
names the input, what was expected and what came. Source: the protocol's "Inference
Request/Response JSON Object". What is not here: routes and statuses (routes.py), elements of JSON
data (elements.py), the bytes of the binary tensor extension (binary.py).
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import numpy as np

from inference.binary import (
    SIZE,
    Tail,
    binary_size,
    join_body,
    raw_input,
    split_body,
    to_bytes,
    to_tensor,
)
from inference.datatypes import BFLOAT16, DTYPES, datatype_of
from inference.elements import MOST_DIMENSIONS, MOST_SIZE, to_array
from inference.errors import BadRequestError
from model_store.signature import DYNAMIC

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from numpy.typing import NDArray

    from model_store.signature import Signature, TensorSpec

PLATFORM: Final = "onnx_onnxv1"


class InferRequest(NamedTuple):
    """A checked request: arrays of the signature's dtypes and shapes, and the outputs asked for.

    `outputs` None means all of them, in the signature's order. `binary` are those that are to come
    back as bytes.
    """

    id: str | None
    tensors: dict[str, NDArray[np.generic]]
    outputs: tuple[str, ...] | None
    binary: frozenset[str] = frozenset()


def parse_infer_request(
    body: bytes, signature: Signature, *, json_length: str | None = None
) -> InferRequest:
    """Read an inference request; raises BadRequestError, never anything else.

    `json_length` is the header Inference-Header-Content-Length, None where there is none. Arrays
    may be views of `body`.
    """
    text, tail = split_body(body, json_length)
    if json_length is not None and not len(text):
        every = frozenset(spec.name for spec in signature.outputs)
        return InferRequest(None, raw_input(body, signature.inputs), None, every)
    document = parse_object(bytes(text), "an inference request")
    request_id = document.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise BadRequestError("'id' is not a string")
    tensors = _parse_inputs(document.get("inputs"), signature.inputs, tail)
    tail.done()
    outputs = _parse_outputs(document.get("outputs"), signature.outputs)
    return InferRequest(
        id=request_id,
        tensors=tensors,
        outputs=tuple(outputs) if outputs else None,
        binary=_binary_outputs(document.get("parameters"), outputs, signature.outputs),
    )


def render_infer_response(
    outputs: Mapping[str, NDArray[np.generic]],
    *,
    model: str,
    version: int,
    request_id: str | None = None,
) -> dict[str, Any]:
    """Build the response object; data is flat, row-major. A float JSON has no form for is null."""
    response: dict[str, Any] = {"model_name": model, "model_version": str(version)}
    if request_id is not None:
        response["id"] = request_id
    response["outputs"] = [_render_output(name, tensor) for name, tensor in outputs.items()]
    return response


def render_infer_body(
    outputs: Mapping[str, NDArray[np.generic]],
    *,
    model: str,
    version: int,
    request_id: str | None = None,
    binary: Collection[str] = (),
) -> tuple[bytes, int | None]:
    """Build the response's body, and how much of it is JSON; None where all of it is.

    `binary` names the outputs whose bytes follow the JSON.
    """
    as_json = {name: tensor for name, tensor in outputs.items() if name not in binary}
    response = render_infer_response(as_json, model=model, version=version, request_id=request_id)
    tails = {name: to_bytes(outputs[name]) for name in outputs if name in binary}
    if not tails:
        return json.dumps(response).encode(), None
    rendered = {item["name"]: item for item in response["outputs"]}
    for name, tail in tails.items():
        rendered[name] = _described(name, outputs[name]) | {"parameters": {SIZE: len(tail)}}
    response["outputs"] = [rendered[name] for name in outputs]
    document = json.dumps(response).encode()
    return join_body(document, tails.values()), len(document)


def render_metadata(name: str, versions: Iterable[int], signature: Signature) -> dict[str, Any]:
    """Build the model metadata response; an input or output of any rank has the shape [-1]."""
    return {
        "name": name,
        "versions": [str(number) for number in versions],
        "platform": PLATFORM,
        "inputs": [_render_spec(spec) for spec in signature.inputs],
        "outputs": [_render_spec(spec) for spec in signature.outputs],
    }


def check_tensors(tensors: Mapping[str, NDArray[np.generic]], specs: Iterable[TensorSpec]) -> None:
    """Hold arrays against a signature's side; raises BadRequestError naming the first misfit."""
    specs = tuple(specs)
    _check_names(tensors, specs)
    for spec in specs:
        tensor = tensors[spec.name]
        dtype = DTYPES.get(spec.datatype)
        if dtype is not None and tensor.dtype != dtype:
            raise BadRequestError(
                f"input {spec.name!r} has dtype {tensor.dtype}, expected {dtype} ({spec.datatype})"
            )
        _check_shape(spec, tensor.shape)


def parse_object(body: bytes, what: str = "a request") -> dict[str, Any]:
    """Read a body that must be a JSON object, `what`; raises BadRequestError."""
    if not body.strip():
        raise BadRequestError(f"the body is empty, expected {what} in JSON")
    try:
        document = _DECODER.decode(body.decode())
    except RecursionError:
        raise BadRequestError(f"the body is not {what}: it nests too deep") from None
    except ValueError as error:
        raise BadRequestError(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise BadRequestError(f"the body is not {what}: expected a JSON object")
    return document


def _no_constants(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constants)


def _parse_inputs(
    inputs: object, specs: tuple[TensorSpec, ...], tail: Tail
) -> dict[str, NDArray[np.generic]]:
    if not isinstance(inputs, list):
        raise BadRequestError("'inputs' is missing or not a list")
    by_name = _by_name(inputs, "inputs")
    _check_names(by_name, specs)
    by_spec = {spec.name: spec for spec in specs}
    # In the order of the request: so lie the bytes that follow it.
    parsed = {name: _parse_input(item, by_spec[name], tail) for name, item in by_name.items()}
    return {spec.name: parsed[spec.name] for spec in specs}


def _parse_outputs(outputs: object, specs: tuple[TensorSpec, ...]) -> dict[str, dict[str, object]]:
    """The outputs that are asked for, by name; none for all."""
    if outputs is None or outputs == []:
        return {}
    if not isinstance(outputs, list):
        raise BadRequestError("'outputs' is not a list")
    named = _by_name(outputs, "outputs")
    known = [spec.name for spec in specs]
    for name in named:
        if name not in known:
            raise BadRequestError(f"there is no output {name!r}: expected {_listed(known)}")
    return named


def _binary_outputs(
    parameters: object, outputs: dict[str, dict[str, object]], specs: tuple[TensorSpec, ...]
) -> frozenset[str]:
    """The outputs that are to be bytes: each by its own parameter, else by the request's."""
    default = _flag(parameters, "binary_data_output", "the request") or False
    if not outputs:
        return frozenset(spec.name for spec in specs) if default else frozenset()
    wanted = {
        name: _flag(item.get("parameters"), "binary_data", f"output {name!r}")
        for name, item in outputs.items()
    }
    return frozenset(name for name, flag in wanted.items() if flag or (flag is None and default))


def _flag(parameters: object, key: str, whose: str) -> bool | None:
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise BadRequestError(f"the 'parameters' of {whose} are not an object")
    value = parameters.get(key)
    if value is not None and not isinstance(value, bool):
        raise BadRequestError(f"{key!r} of {whose} is neither true nor false")
    return value


def _by_name(items: list[object], what: str) -> dict[str, dict[str, object]]:
    named: dict[str, dict[str, object]] = {}
    for item in items:
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(name, str):
            raise BadRequestError(f"an element of {what!r} is not an object with a 'name'")
        if name in named:
            raise BadRequestError(f"{what!r} names {name!r} twice")
        named[name] = item
    return named


def _check_names(named: Iterable[str], specs: tuple[TensorSpec, ...]) -> None:
    names, known = list(named), [spec.name for spec in specs]
    for name in known:
        if name not in names:
            raise BadRequestError(f"input {name!r} is missing: expected {_listed(known)}")
    for name in names:
        if name not in known:
            raise BadRequestError(f"there is no input {name!r}: expected {_listed(known)}")


def _parse_input(item: dict[str, object], spec: TensorSpec, tail: Tail) -> NDArray[np.generic]:
    datatype = item.get("datatype")
    if datatype != spec.datatype:
        raise BadRequestError(
            f"input {spec.name!r} has datatype {datatype!r}, expected {spec.datatype}"
        )
    shape = _parse_shape(item.get("shape"), spec.name)
    _check_shape(spec, shape)
    dtype = DTYPES.get(spec.datatype)
    if dtype is None:
        raise BadRequestError(f"input {spec.name!r}: {spec.datatype} is not served")
    n_bytes = binary_size(item.get("parameters"), spec.name)
    if n_bytes is not None:
        if "data" in item:
            raise BadRequestError(f"input {spec.name!r} has both 'data' and {SIZE}")
        data = tail.take(n_bytes, spec.name)
        return to_tensor(data, shape=shape, name=spec.name, datatype=spec.datatype)
    if "data" not in item:
        raise BadRequestError(f"input {spec.name!r} has no 'data'")
    if dtype == BFLOAT16:
        raise BadRequestError(
            f"input {spec.name!r}: BF16 cannot be sent as JSON, send it as binary data ({SIZE})"
        )
    return to_array(item["data"], shape=shape, name=spec.name, datatype=spec.datatype, dtype=dtype)


def _parse_shape(shape: object, name: str) -> tuple[int, ...]:
    if not isinstance(shape, list) or not all(
        isinstance(size, int) and not isinstance(size, bool) and size >= 0 for size in shape
    ):
        raise BadRequestError(f"input {name!r} has no 'shape', or one that is not a list of sizes")
    if len(shape) > MOST_DIMENSIONS or any(size > MOST_SIZE for size in shape):
        raise BadRequestError(
            f"input {name!r} has a 'shape' that no array has: "
            f"at most {MOST_DIMENSIONS} sizes of 63 bits"
        )
    return tuple(shape)


def _check_shape(spec: TensorSpec, shape: tuple[int, ...]) -> None:
    if spec.shape is None:
        return
    fits = len(shape) == len(spec.shape) and all(
        expected in {DYNAMIC, size} for expected, size in zip(spec.shape, shape, strict=True)
    )
    if not fits:
        raise BadRequestError(
            f"input {spec.name!r} has shape {list(shape)}, expected {list(spec.shape)}"
            + (" (-1 is any size)" if DYNAMIC in spec.shape else "")
        )


def _render_output(name: str, tensor: NDArray[np.generic]) -> dict[str, Any]:
    data = tensor.reshape(-1)
    if data.dtype == BFLOAT16:
        from inference.bfloat16 import to_floats  # noqa: PLC0415 - few models have it

        data = to_floats(data)
    values = data.tolist()
    if data.dtype.kind == "f" and not np.isfinite(data).all():
        values = [value if math.isfinite(value) else None for value in values]
    return _described(name, tensor) | {"data": values}


def _described(name: str, tensor: NDArray[np.generic]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype_of(tensor), "shape": list(tensor.shape)}


def _render_spec(spec: TensorSpec) -> dict[str, Any]:
    shape = [DYNAMIC] if spec.shape is None else list(spec.shape)
    return {"name": spec.name, "datatype": spec.datatype, "shape": shape}


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
