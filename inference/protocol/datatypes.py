"""The Open Inference Protocol's datatypes as numpy's dtypes, and the reverse.

Source: the protocol's "Tensor Data Types". numpy has no BF16: the dtype BFLOAT16 holds its
bits (bfloat16.py).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

BFLOAT16: Final = np.dtype([("bits", "<u2")])

DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "BF16": BFLOAT16,
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(np.object_),
}

_NAMES: Final = {dtype: name for name, dtype in DTYPES.items()}


def datatype_of(tensor: np.ndarray[Any, Any]) -> str:
    """Return the name of an array's datatype; raises KeyError if the protocol has none for it."""
    return "BYTES" if tensor.dtype.kind in "OUS" else _NAMES[tensor.dtype]
