"""The Open Inference Protocol: requests to tensors. Pure.

Every request is checked against the model's signature before the session runs. Errors name the
input, with the expected and the actual value. Source: the protocol's "Inference Request JSON
Object". JSON data is converted in json_tensors.py, data of the binary tensor extension in
binary_tensors.py. Responses are in responses.py, routes and statuses in inference/http.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inference.errors import BadRequestError
from inference.protocol.binary_tensors import (
    SIZE,
    Tail,
    binary_size,
    raw_input,
    split_body,
    to_tensor,
)
from inference.protocol.datatypes import BFLOAT16, DTYPES
from inference.protocol.json_codec import read_object
from inference.protocol.json_tensors import MOST_DIMENSIONS, MOST_SIZE, to_array
from model_store.signature import DYNAMIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from model_store.signature import Signature, TensorSpec


class InferRequest(NamedTuple):
    """A valid request: arrays of the signature's dtypes and shapes, and the requested outputs.

    `outputs` None means all of them, in the signature's order. `binary` are the outputs to send as
    binary data.
    """

    id: str | None
    tensors: dict[str, NDArray[np.generic]]
    outputs: tuple[str, ...] | None
    binary: frozenset[str] = frozenset()


def parse_infer_request(
    body: bytes, signature: Signature, *, json_length: str | None = None
) -> InferRequest:
    """Read an inference request; raises BadRequestError and nothing else.

    `json_length` is the header Inference-Header-Content-Length, None if it is absent. Arrays may be
    views of `body`.
    """
    text, tail = split_body(body, json_length)
    if json_length is not None and not len(text):
        every = frozenset(spec.name for spec in signature.outputs)
        return InferRequest(None, raw_input(body, signature.inputs), None, every)
    document = read_object(text, "an inference request")
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


def check_tensors(tensors: Mapping[str, NDArray[np.generic]], specs: Iterable[TensorSpec]) -> None:
    """Check arrays against a signature's inputs; raises BadRequestError for the first misfit."""
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


def _parse_inputs(
    inputs: object, specs: tuple[TensorSpec, ...], tail: Tail
) -> dict[str, NDArray[np.generic]]:
    if not isinstance(inputs, list):
        raise BadRequestError("'inputs' is missing or not a list")
    by_name = _by_name(inputs, "inputs")
    _check_names(by_name, specs)
    by_spec = {spec.name: spec for spec in specs}
    # In the request's order, which is that of the binary data.
    parsed = {name: _parse_input(item, by_spec[name], tail) for name, item in by_name.items()}
    return {spec.name: parsed[spec.name] for spec in specs}


def _parse_outputs(outputs: object, specs: tuple[TensorSpec, ...]) -> dict[str, dict[str, object]]:
    """Return the requested outputs by name; empty for all."""
    if outputs is None or outputs == []:
        return {}
    if not isinstance(outputs, list):
        raise BadRequestError("'outputs' is not a list")
    named = _by_name(outputs, "outputs")
    expected = [spec.name for spec in specs]
    for name in named:
        if name not in expected:
            raise BadRequestError(f"there is no output {name!r}: expected {_listed(expected)}")
    return named


def _binary_outputs(
    parameters: object, outputs: dict[str, dict[str, object]], specs: tuple[TensorSpec, ...]
) -> frozenset[str]:
    """Return the outputs to send as binary data, by their own parameter, else by the request's."""
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
    names, expected = list(named), [spec.name for spec in specs]
    for name in expected:
        if name not in names:
            got = _listed(names)
            raise BadRequestError(
                f"input {name!r} is missing: expected {_listed(expected)}, got {got}"
            )
    for name in names:
        if name not in expected:
            raise BadRequestError(f"there is no input {name!r}: expected {_listed(expected)}")


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
            f"input {name!r} has a 'shape' that is too large: "
            f"expected at most {MOST_DIMENSIONS} sizes of 63 bits"
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


def _listed(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names) or "none"
