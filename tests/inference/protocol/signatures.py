"""Signatures and requests in one line each."""

from __future__ import annotations

import json
from typing import Any

from model_store.signature import Signature, TensorSpec

ANY_RANK = None


def signature(*inputs: tuple[str, str, tuple[int, ...] | None]) -> Signature:
    """A signature of these inputs (name, datatype, shape) and an output `y` like the first."""
    specs = tuple(TensorSpec(*given) for given in inputs)
    return Signature(specs, (specs[0]._replace(name="y"),))


def one_input(datatype: str, shape: tuple[int, ...] | None) -> Signature:
    """A signature of one input `x`."""
    return signature(("x", datatype, shape))


def tensor(name: str = "x", **fields: Any) -> dict[str, Any]:
    """One input of a request: FP32 [1, 2] but for the fields that are given."""
    return {"name": name, "datatype": "FP32", "shape": [1, 2], "data": [1.0, 2.0]} | fields


def request(*tensors: object, **fields: Any) -> bytes:
    """The body of an inference request."""
    return json.dumps({"inputs": list(tensors), **fields}).encode()
