"""The Open Inference Protocol's binary tensor data extension. Pure.

A body is JSON, whose length is in a header, and then the tensors' bytes, in the order in which the
JSON lists the tensors: little-endian, row-major; each element of a BYTES tensor follows its length
in four bytes. A body without JSON (length 0) is the only input of a model that has one input.

Inputs are views of the body where their alignment allows it: the session reads them without a
copy. Source: Triton's "Binary Tensor Data Extension".
"""

from __future__ import annotations

import math
import struct
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from inference.errors import BadRequestError
from inference.protocol.datatypes import DTYPES
from model_store.signature import DYNAMIC

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from model_store.signature import TensorSpec

LENGTH_HEADER: Final = "Inference-Header-Content-Length"
"""Header: the length of the body's JSON in bytes."""

SIZE: Final = "binary_data_size"
"""Parameter of a tensor whose bytes follow the JSON: their number."""

_LENGTH: Final = struct.Struct("<I")
_MOST_DIGITS: Final = 18


class Tail:
    """The bytes after the JSON, split into tensors one after another."""

    def __init__(self, body: memoryview) -> None:
        self._left = body

    def take(self, n_bytes: int, name: str) -> memoryview:
        """Return the next tensor's bytes; raises BadRequestError if fewer are left."""
        if n_bytes > len(self._left):
            raise BadRequestError(
                f"input {name!r} has {SIZE} {n_bytes}, but the body has only {len(self._left)} "
                "bytes left"
            )
        data, self._left = self._left[:n_bytes], self._left[n_bytes:]
        return data

    def done(self) -> None:
        """Raise BadRequestError if bytes are left."""
        if len(self._left):
            raise BadRequestError(f"the body has {len(self._left)} bytes after the last tensor")


def split_body(body: bytes, length: str | None) -> tuple[bytes | memoryview, Tail]:
    """Split a body into its JSON and the rest. `length` is the header; None: all of it is JSON.

    Raises BadRequestError if the header is not a number of bytes that the body has.
    """
    if length is None:
        return body, Tail(memoryview(b""))
    # Python refuses to convert thousands of digits; no body has a length of more than these.
    is_number = length.isascii() and length.isdecimal() and len(length) <= _MOST_DIGITS
    if not is_number or int(length) > len(body):
        raise BadRequestError(
            f"{LENGTH_HEADER} is {length[:40]!r}: expected 0 to {len(body)}, the body's own length"
        )
    view = memoryview(body)
    return view[: int(length)], Tail(view[int(length) :])


def binary_size(parameters: object, name: str) -> int | None:
    """Return the `binary_data_size` in a tensor's parameters, None if there is none."""
    if parameters is None:
        return None
    if not isinstance(parameters, dict):
        raise BadRequestError(f"the 'parameters' of {name!r} are not an object")
    size = parameters.get(SIZE)
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise BadRequestError(f"{SIZE} of {name!r} is not a number of bytes")
    return size


def to_tensor(
    data: memoryview, *, shape: tuple[int, ...], name: str, datatype: str
) -> NDArray[np.generic]:
    """Convert an input's bytes to an array; raises BadRequestError if they do not fit its shape."""
    count = math.prod(shape)
    if datatype == "BYTES":
        strings = _strings(data, name)
        if len(strings) != count:
            raise BadRequestError(
                f"input {name!r} holds {len(strings)} strings, expected {count} for shape "
                f"{list(shape)}"
            )
        return np.array(strings, np.object_).reshape(shape)
    dtype = DTYPES[datatype]
    if len(data) != count * dtype.itemsize:
        raise BadRequestError(
            f"input {name!r} has {len(data)} bytes, expected {count * dtype.itemsize} for shape "
            f"{list(shape)} of {datatype}"
        )
    if dtype.kind == "b" and count and np.frombuffer(data, np.uint8).max() > 1:
        raise BadRequestError(f"a byte of input {name!r} is neither 0 nor 1, expected {datatype}")
    tensor = np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape)
    # Elements must be at multiples of their size in memory: other data is copied.
    return tensor if tensor.flags.aligned else tensor.copy()


def raw_input(body: bytes, specs: tuple[TensorSpec, ...]) -> dict[str, NDArray[np.generic]]:
    """Convert a body without JSON to the only input; raises BadRequestError if it does not fit.

    The shape is the signature's. One size in it may be dynamic: it follows from the body's length.
    """
    if len(specs) != 1:
        raise BadRequestError(
            f"a body without JSON is one input, but the model has {len(specs)}: send JSON first"
        )
    spec = specs[0]
    if spec.datatype == "BYTES":
        # As in Triton, the whole body is one element.
        return {
            spec.name: np.array(_text(body, spec.name), np.object_).reshape(_shape_of_one(spec))
        }
    dtype = DTYPES[spec.datatype]
    dynamic = [size for size in spec.shape or () if size == DYNAMIC]
    if spec.shape is None or len(dynamic) > 1:
        raise BadRequestError(
            f"the body's length does not determine the shape of input {spec.name!r}: "
            "send JSON first"
        )
    row_bytes = math.prod(size for size in spec.shape if size != DYNAMIC) * dtype.itemsize
    if dynamic and row_bytes and len(body) % row_bytes:
        raise BadRequestError(
            f"the body has {len(body)} bytes, expected a multiple of {row_bytes} for input "
            f"{spec.name!r} of shape {list(spec.shape)}"
        )
    size = len(body) // row_bytes if dynamic and row_bytes else 0
    shape = tuple(size if each == DYNAMIC else each for each in spec.shape)
    data = memoryview(body)
    return {spec.name: to_tensor(data, shape=shape, name=spec.name, datatype=spec.datatype)}


def to_bytes(tensor: NDArray[Any]) -> memoryview | bytes:
    """Return a tensor's bytes: a view, except for strings and arrays that are not contiguous."""
    if tensor.dtype.kind in "OUS":
        parts: list[bytes] = []
        for item in tensor.reshape(-1).tolist():
            data = item if isinstance(item, bytes) else str(item).encode("utf-8", "surrogatepass")
            parts += (_LENGTH.pack(len(data)), data)
        return b"".join(parts)
    whole = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
    return memoryview(whole.reshape(-1).view(np.uint8).data)


def join_body(document: bytes, tails: Iterable[memoryview | bytes]) -> bytes:
    """Join a response's JSON and its tensors' bytes, which are copied here only."""
    return b"".join((document, *tails))


def _strings(data: memoryview, name: str) -> list[str]:
    strings: list[str] = []
    place = 0
    while place < len(data):
        end = place + _LENGTH.size
        if end > len(data):
            raise BadRequestError(f"input {name!r} ends within an element's length")
        (length,) = _LENGTH.unpack_from(data, place)
        if end + length > len(data):
            raise BadRequestError(f"input {name!r} ends within an element of {length} bytes")
        strings.append(_text(data[end : end + length], name))
        place = end + length
    return strings


def _text(data: bytes | memoryview, name: str) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError:
        raise BadRequestError(
            f"a string of input {name!r} is not UTF-8, and ONNX has no other strings"
        ) from None


def _shape_of_one(spec: TensorSpec) -> tuple[int, ...]:
    """Return the shape of one element, with the input's number of dimensions."""
    shape = (1,) if spec.shape is None else spec.shape
    if any(size not in {1, DYNAMIC} for size in shape):
        raise BadRequestError(
            f"input {spec.name!r} of shape {list(shape)} is not one string, but a body without "
            "JSON is: send JSON first"
        )
    return (1,) * len(shape)
