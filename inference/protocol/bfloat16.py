"""Tensors of BF16, the upper half of a float32, for which numpy has no dtype.

An array of dtype BFLOAT16 holds the bits. ONNX Runtime accepts and returns BF16 only as OrtValues,
which are slower than arrays: only models with a BF16 input or output are run with them.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from inference.protocol.datatypes import BFLOAT16

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_ONNX_BFLOAT16 = 16
"""TensorProto.BFLOAT16 (onnx.proto)."""


def to_floats(tensor: NDArray[Any]) -> NDArray[np.float32]:
    """Convert a BF16 array to float32, exactly."""
    wide = tensor["bits"].astype(np.uint32) << 16
    floats: NDArray[np.float32] = wide.view(np.float32)
    return floats


def run(
    session: Any, names: Sequence[str], tensors: Mapping[str, NDArray[Any]]
) -> list[NDArray[Any]]:
    """Run a session that has BF16 inputs or outputs; otherwise like `session.run`."""
    values = {name: _to_value(tensor) for name, tensor in tensors.items()}
    return [_to_array(value) for value in session.run_with_ort_values(list(names), values)]


def _to_value(tensor: NDArray[Any]) -> Any:
    if tensor.dtype != BFLOAT16:
        return onnxruntime.OrtValue.ortvalue_from_numpy(tensor)
    # `ascontiguousarray` gives a scalar one dimension: restore its shape.
    bits = np.ascontiguousarray(tensor["bits"]).reshape(tensor.shape)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, _ONNX_BFLOAT16)


def _to_array(value: Any) -> NDArray[Any]:
    if value.element_type() != _ONNX_BFLOAT16:
        array: NDArray[Any] = value.numpy()
        return array
    shape = tuple(value.shape())
    count = int(np.prod(shape, dtype=np.int64))
    if not count:
        return np.empty(shape, BFLOAT16)
    # A copy: the memory is freed with the value.
    data = ctypes.string_at(value.data_ptr(), count * BFLOAT16.itemsize)
    return np.frombuffer(data, BFLOAT16).reshape(shape)
