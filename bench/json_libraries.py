"""Speed of JSON libraries on bodies of numbers (docs/adr/0005).

Every library, in its fastest way, reads a request into an array of its dtype, checks each element's
type, and writes a response from an array. The libraries are interleaved. Libraries that are not
installed are left out. To install all of them:

    python -m venv /tmp/libraries && /tmp/libraries/bin/pip install numpy orjson msgspec pysimdjson
    /tmp/libraries/bin/python -m bench.json_libraries
"""

from __future__ import annotations

import importlib
import json
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Reader = Callable[[bytes], np.ndarray[Any, Any]]
    Writer = Callable[[np.ndarray[Any, Any]], bytes]

FLOATS: Final = np.random.default_rng(1).random(150_528).astype(np.float32)
"""As many numbers as an RGB image of 224x224 has."""
INTEGERS: Final = np.random.default_rng(2).integers(0, 256, 2048).astype(np.int32)


def main() -> None:
    """Measure and print two tables."""
    readers, writers = _libraries()
    bodies = {
        "150,528 floats of 17 digits": _request(FLOATS.tolist(), "FP32"),
        "150,528 floats of 8 digits": _request([float(str(x)) for x in FLOATS], "FP32"),
        "2,048 integers": _request(INTEGERS.tolist(), "INT32"),
    }
    for what, body in bodies.items():
        _report(f"read {what}", {name: _given(read, body) for name, read in readers.items()})
    for what, array in {"150,528 floats": FLOATS, "214 floats": FLOATS[:214]}.items():
        _report(f"write {what}", {name: _given(write, array) for name, write in writers.items()})


def _given(function: Callable[[Any], Any], value: Any) -> Callable[[], Any]:
    return lambda: function(value)


def _request(data: list[Any], datatype: str) -> bytes:
    item = {"name": "x", "shape": [1, len(data)], "datatype": datatype, "data": data}
    return json.dumps({"inputs": [item]}).encode()


def _libraries() -> tuple[dict[str, Reader], dict[str, Writer]]:
    readers: dict[str, Reader] = {"json": lambda body: _checked(json.loads(body))}
    writers: dict[str, Writer] = {"json": lambda y: json.dumps(_response(y.tolist())).encode()}
    if orjson := _found("orjson"):
        readers["orjson"] = lambda body: _checked(orjson.loads(body))
        options = orjson.OPT_SERIALIZE_NUMPY
        writers["orjson"] = lambda y: orjson.dumps(_response(y), option=options)
    if msgspec := _found("msgspec"):
        readers["msgspec, typed"] = _msgspec_reader(msgspec)
        writers["msgspec"] = lambda y: msgspec.json.encode(_response(y.tolist()))
    if simdjson := _found("simdjson"):
        readers["pysimdjson, buffers"] = _simdjson_reader(simdjson)
    return readers, writers


def _found(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _checked(document: Any) -> np.ndarray[Any, Any]:
    item = document["inputs"][0]
    data = item["data"]
    if not set(map(type, data)) <= ({int, float} if item["datatype"] == "FP32" else {int}):
        raise TypeError
    return np.array(data, np.float32 if item["datatype"] == "FP32" else np.int32)


def _msgspec_reader(msgspec: Any) -> Reader:
    """Return a reader that keeps the data raw until its datatype is known, then checks types."""
    item: Any = msgspec.defstruct("Item", [("datatype", str), ("data", msgspec.Raw)])
    items: Any = list.__class_getitem__(item)
    request = msgspec.json.Decoder(msgspec.defstruct("Request", [("inputs", items)]))
    floats, integers = msgspec.json.Decoder(list[float]), msgspec.json.Decoder(list[int])

    def read(body: bytes) -> np.ndarray[Any, Any]:
        [item] = request.decode(body).inputs
        if item.datatype == "FP32":
            return np.array(floats.decode(item.data), np.float32)
        return np.array(integers.decode(item.data), np.int32)

    return read


def _simdjson_reader(simdjson: Any) -> Reader:
    """Return a reader that copies checked numbers into a flat buffer, without Python objects."""
    parser = simdjson.Parser()

    def read(body: bytes) -> np.ndarray[Any, Any]:
        item = parser.parse(body)["inputs"][0]
        if item["datatype"] == "FP32":
            return np.frombuffer(item["data"].as_buffer(of_type="d")).astype(np.float32)
        return np.frombuffer(item["data"].as_buffer(of_type="i"), np.int64).astype(np.int32)

    return read


def _response(data: Any) -> dict[str, Any]:
    item = {"name": "y", "datatype": "FP32", "shape": [1, len(data)], "data": data}
    return {"model_name": "m", "model_version": "1", "outputs": [item]}


def _report(what: str, cases: dict[str, Callable[[], Any]]) -> None:
    samples: dict[str, list[float]] = {name: [] for name in cases}
    rounds = 15 if "150" in what else 500
    for _ in range(rounds):
        for name, case in cases.items():
            started = time.perf_counter_ns()
            case()
            samples[name].append((time.perf_counter_ns() - started) / 1e3)
    for name, values in samples.items():
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        sys.stdout.write(f"{what:34} {name:20} {median:9.1f} us  ({low:.1f} - {high:.1f})\n")


if __name__ == "__main__":
    main()
