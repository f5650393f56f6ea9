"""Calls that are right, one of each kind: what mutations begin with. Pure."""

from __future__ import annotations

import gzip
import json
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

LENGTH: Final = "inference-header-content-length"


@dataclass(slots=True)
class Call:
    """An HTTP request as API Gateway hands it on: the path decoded, headers in lower case."""

    method: str
    path: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    query: str = ""

    def copy(self) -> Call:
        return Call(self.method, self.path, self.body, dict(self.headers), self.query)


def tensor(name: str, datatype: str, shape: list[int], data: Any = None, **more: Any) -> Any:
    described = {"name": name, "datatype": datatype, "shape": shape} | more
    return described if data is None else described | {"data": data}


def infer(path: str, *inputs: Any, tail: bytes = b"", **more: Any) -> Call:
    document = json.dumps({"inputs": list(inputs)} | more).encode()
    headers = {LENGTH: str(len(document))} if tail else {"content-type": "application/json"}
    return Call("POST", f"/v2/models/{path}/infer", document + tail, headers)


def compressed(call: Call, encoding: str, body: bytes) -> Call:
    headers = call.headers | {"content-encoding": encoding, "accept-encoding": encoding}
    return Call(call.method, call.path, body, headers, call.query)


def _binary(name: str, datatype: str, shape: list[int], tail: bytes) -> tuple[Any, bytes]:
    return tensor(name, datatype, shape, parameters={"binary_data_size": len(tail)}), tail


_X: Final = tensor("x", "FP32", [2, 2], [[1.0, 2.5], [3, -4e-3]])
_ADDER: Final = infer("adder", _X, id="one", outputs=[{"name": "y"}], parameters={"a": 1})
_ROWS, _ROW_BYTES = _binary("x", "FP32", [2, 2], np.arange(4, dtype="<f4").tobytes())
_WORDS, _WORD_BYTES = _binary("x", "BYTES", [2], b"\x01\x00\x00\x00a\x03\x00\x00\x00\xe2\x82\xac")
_BIG: Final = infer("words", tensor("x", "BYTES", [300], ["word"] * 300))

INFERENCES: Final = [
    _ADDER,
    infer("adder/versions/2", _X),
    infer("adder/labels/latest", _X, parameters={"binary_data_output": True}),
    infer("words", tensor("x", "BYTES", [3], ["", "é", '"\\\n\x00'])),
    infer("reciprocal", tensor("x", "FP32", [3], [0, 1, 1e38]), outputs=[{"name": "z"}]),
    infer("sum", tensor("a", "FP32", [1, 2], [1, 2]), tensor("b", "FP32", [3, 2], [1] * 6)),
    infer("broken", _X),
    infer("adder", _ROWS, tail=_ROW_BYTES, parameters={"binary_data_output": True}),
    infer("words", _WORDS, tail=_WORD_BYTES, outputs=[{"name": "y"}]),
    Call("POST", "/v2/models/adder/infer", b"\x00\x00\x80?" * 4, {LENGTH: "0"}),
    Call("POST", "/v2/models/words/infer", b"one element", {LENGTH: "0"}),
    compressed(_ADDER, "gzip", gzip.compress(_ADDER.body, mtime=0)),
    compressed(_ADDER, "deflate", zlib.compress(_ADDER.body)),
    compressed(_BIG, "deflate", zlib.compress(_BIG.body)[2:-4]),
]
PREDICTIONS: Final = [
    Call("POST", "/models/echo/predict", b"\x00\xff\xfe", {"content-type": "image/png"}),
    Call("POST", "/models/echo/predict", b"text", {"content-type": "text/plain"}, "a=1&a=2&b=%C3"),
    Call("POST", "/models/echo/labels/latest/predict", b"{}", {"content-type": "text/json"}),
    Call("POST", "/predict", b"x", {}, "encode=png"),
    Call("POST", "/invocations", b"x", {}, "encode=json+bytes"),
    Call("POST", "/models/echo/predict", b"x", {}, "decode=refuse"),
    Call("POST", "/models/echo/predict", b"x", {}, "encode=raise"),
    Call("POST", "/models/adder/predict", b"x"),
    Call("POST", "/models/broken/predict", b"x"),
]
ABOUT: Final = [
    Call("POST", "/v2/repository/index", b'{"ready": true}'),
    Call("POST", "/v2/repository/models/words/load", b"{}"),
    Call("POST", "/v2/repository/models/sum/unload", b""),
    *(
        Call("GET", path)
        for path in (
            "/v2",
            "/ping",
            "/v2/health/live",
            "/v2/health/ready",
            "/v2/models",
            "/v2/models/stats",
            "/v2/models/adder",
            "/v2/models/adder/versions/1/ready",
            "/v2/models/adder/versions/2/config",
            "/v2/models/adder/labels/latest/stats",
            "/v2/models/broken/ready",
            "/openapi.json",
        )
    ),
]
