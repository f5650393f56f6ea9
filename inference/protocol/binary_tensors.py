"""The Open Inference Protocol's binary tensor data extension. Pure.

A body is JSON of a stated length and then tensors' bytes, in the order in which the JSON lists
them: little-endian, row-major; of BYTES, each element after its length in four bytes. A body
without JSON (stated length 0) is the one input of a model that has one.

Inputs are views of the body wherever the processor can read them in place: nothing is copied on
the way to the session. Source: Triton's "Binary Tensor Data Extension".
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
"""How many bytes of the body are JSON."""

SIZE: Final = "binary_data_size"
"""The parameter of a tensor whose bytes follow the JSON."""

_LENGTH: Final = struct.Struct("<I")
_MOST_DIGITS: Final = 18


class Tail:
    """The bytes after the JSON, taken tensor by tensor."""

    def __init__(self, body: memoryview) -> None:
        self._left = body

    def take(self, n_bytes: int, name: str) -> memoryview:
        """Take the next tensor's bytes; raises BadRequestError where there are fewer."""
        if n_bytes > len(self._left):
            raise BadRequestError(
                f"input {name!r} has {SIZE} {n_bytes}, and {len(self._left)} bytes are left of the "
                "body"
            )
        taken, self._left = self._left[:n_bytes], self._left[n_bytes:]
        return taken

    def done(self) -> None:
        """Raise BadRequestError if anything is left."""
        if len(self._left):
            raise BadRequestError(f"{len(self._left)} bytes after the last tensor belong to none")


def split_body(body: bytes, length: str | None) -> tuple[bytes | memoryview, Tail]:
    """The JSON of a body and what follows it. `length`: the header's value, None for all JSON.

    Raises BadRequestError for a length that is none, or more than there is.
    """
    if length is None:
        return body, Tail(memoryview(b""))
    # More digits than these are no length, and Python makes no number of a few thousand.
    is_number = length.isascii() and length.isdecimal() and len(length) <= _MOST_DIGITS
    if not is_number or int(length) > len(body):
        raise BadRequestError(
            f"{LENGTH_HEADER} is {length[:40]!r}: expected 0 to {len(body)}, the body's own length"
        )
    view = memoryview(body)
    return view[: int(length)], Tail(view[int(length) :])


def binary_size(parameters: object, name: str) -> int | None:
    """The `binary_data_size` of a tensor's parameters; None if it has none."""
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
    """Make an input's bytes an array; raises BadRequestError where they are not of its shape."""
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
    # The processor reads what lies at a multiple of its size in place; the rest is moved, once.
    return tensor if tensor.flags.aligned else tensor.copy()


def raw_input(body: bytes, specs: tuple[TensorSpec, ...]) -> dict[str, NDArray[np.generic]]:
    """A body that is the one input's bytes; raises BadRequestError where it cannot be.

    Its shape is the signature's, with one size at the most that is free: it follows from the bytes.
    """
    if len(specs) != 1:
        raise BadRequestError(
            f"the body is said to be one raw input, and the model has {len(specs)}: send JSON first"
        )
    spec = specs[0]
    if spec.datatype == "BYTES":
        # As Triton does: the whole body is one element.
        return {spec.name: np.array(_text(body, spec.name), np.object_).reshape(_one(spec))}
    dtype = DTYPES[spec.datatype]
    free = [size for size in spec.shape or () if size == DYNAMIC]
    if spec.shape is None or len(free) > 1:
        raise BadRequestError(
            f"input {spec.name!r} has no shape that follows from its bytes: send JSON first"
        )
    row_bytes = math.prod(size for size in spec.shape if size != DYNAMIC) * dtype.itemsize
    if free and row_bytes and len(body) % row_bytes:
        raise BadRequestError(
            f"the body has {len(body)} bytes, expected a multiple of {row_bytes} for input "
            f"{spec.name!r} of shape {list(spec.shape)}"
        )
    size = len(body) // row_bytes if free and row_bytes else 0
    shape = tuple(size if each == DYNAMIC else each for each in spec.shape)
    data = memoryview(body)
    return {spec.name: to_tensor(data, shape=shape, name=spec.name, datatype=spec.datatype)}


def to_bytes(tensor: NDArray[Any]) -> memoryview | bytes:
    """A tensor's bytes; a view of it, but for strings and what does not lie in one piece."""
    if tensor.dtype.kind in "OUS":
        parts: list[bytes] = []
        for item in tensor.reshape(-1).tolist():
            data = item if isinstance(item, bytes) else str(item).encode("utf-8", "surrogatepass")
            parts += (_LENGTH.pack(len(data)), data)
        return b"".join(parts)
    whole = np.ascontiguousarray(tensor, tensor.dtype.newbyteorder("<"))
    return memoryview(whole.reshape(-1).view(np.uint8).data)


def join_body(document: bytes, tails: Iterable[memoryview | bytes]) -> bytes:
    """A response's body: its JSON, then its tensors' bytes. The one copy that is made of them."""
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
            f"a string of input {name!r} is not UTF-8: ONNX's strings are"
        ) from None


def _one(spec: TensorSpec) -> tuple[int, ...]:
    """The shape of one element, in as many dimensions as the input has."""
    shape = (1,) if spec.shape is None else spec.shape
    if any(size not in {1, DYNAMIC} for size in shape):
        raise BadRequestError(
            f"input {spec.name!r} of shape {list(shape)} is not one string, as the body is said to "
            "be: send JSON first"
        )
    return (1,) * len(shape)
