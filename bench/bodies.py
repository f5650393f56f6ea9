"""Overhead of a call over `session.run` by body size, for JSON and binary tensors.

The model returns its input (FP32), so a request and its answer have the same size. Each round times
every case once, one after the other. The benchmark also reports the peak memory allocated in a
call, as a multiple of the tensor's bytes. tracemalloc measures the peak in a separate call; numpy
and Python report their memory to tracemalloc, ONNX Runtime does not.

    python -m bench.bodies [--rounds N]
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from bench.events import http_event
from bench.results import summarize, write_results
from model_sync.progress import Silent
from model_sync.publishing.publish import publish

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent.parent
SIZES: Final = {"1 KB": 1_000, "10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000}
"""Body sizes in bytes, before base64."""
MOST: Final = {"4.5 MB": 4_500_000}
"""Largest body whose base64 fits in Lambda's 6 MB. A JSON answer can be slightly longer than its
request, so the largest JSON case is one size smaller."""
CONTEXT: Final = SimpleNamespace(aws_request_id="00000000-0000-0000-0000-000000000000")
WARM_UP: Final = 3


def main() -> None:
    """Measure, print a table, write bench/results/bodies.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        cases, tensor_bytes = _cases(Path(temporary))
        peaks = {name: _peak(cases[name]) / tensor_bytes[name] for name in tensor_bytes}
        samples = _measure(cases, rounds)
    path = write_results("bodies", samples, "microseconds", rounds=rounds, peak_ratio=peaks)
    _report(samples, peaks, tensor_bytes)
    sys.stderr.write(f"raw samples: {path.relative_to(ROOT)}\n")


def _cases(temporary: Path) -> tuple[dict[str, Callable[[], object]], dict[str, int]]:
    folder, store = temporary / "echo", temporary / "store"
    _write_identity(folder)
    publish(folder, store, progress=Silent())
    os.environ["STORE_PATH"] = str(store)
    # Metrics and logs are written, as on Lambda, but not to this terminal.
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    from inference.predict_function import application, handler  # noqa: PLC0415 - they read the environment

    cases: dict[str, Callable[[], object]] = {}
    tensor_bytes: dict[str, int] = {}
    for size, n_bytes in (SIZES | MOST).items():
        for encoding, make in (("bytes", _binary_event), ("JSON", _json_event)):
            if encoding == "JSON" and size in MOST:
                continue
            event, tensor = make(n_bytes)
            answer = handler(event, CONTEXT)
            if answer["statusCode"] != 200:
                raise RuntimeError(f"{encoding}, {size}: {answer['body'][:200]}")
            session = application._manager.resolve("echo").loaded.session  # noqa: SLF001 - timed alone
            name = f"{encoding}, {size}"
            cases[f"session.run, {name}"] = _bare(session, tensor)
            cases[name] = _call(handler, event)
            tensor_bytes[name] = tensor.nbytes
    return cases, tensor_bytes


def _bare(session: Any, tensor: np.ndarray[Any, Any]) -> Callable[[], object]:
    return lambda: session.run(None, {"x": tensor})


def _call(handler: Callable[..., object], event: dict[str, Any]) -> Callable[[], object]:
    return lambda: handler(event, CONTEXT)


def _write_identity(folder: Path) -> None:
    folder.mkdir(parents=True)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", "y")]
    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "echo", values[:1], values[1:])
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.save_model(model, str(folder / "model.onnx"))


def _floats(count: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(1).standard_normal(count).astype(np.float32)


def _binary_event(n_bytes: int) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    tensor = _floats((n_bytes - 250) // 4)
    document = {
        "inputs": [
            {
                "name": "x",
                "shape": [tensor.size],
                "datatype": "FP32",
                "parameters": {"binary_data_size": tensor.nbytes},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    text = json.dumps(document).encode()
    event = http_event("/v2/models/echo/infer", text + tensor.tobytes(), "application/octet-stream")
    event["headers"]["inference-header-content-length"] = str(len(text))
    return event, tensor


def _json_event(n_bytes: int) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Return an event with float32 values written as a Python client writes them: as float64."""
    tensor = _floats(max(n_bytes - 100, 1) // 22)
    item = {"name": "x", "shape": [tensor.size], "datatype": "FP32", "data": tensor.tolist()}
    body = json.dumps({"inputs": [item]}).encode()
    return http_event("/v2/models/echo/infer", body), tensor


def _peak(case: Callable[[], object]) -> int:
    """Return the peak of memory allocated during one call, in bytes."""
    case()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        case()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def _measure(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(WARM_UP + rounds):
        for name, case in cases.items():
            started = time.perf_counter_ns()
            case()
            elapsed = (time.perf_counter_ns() - started) / 1e3
            if number >= WARM_UP:
                samples[name].append(elapsed)
    return samples


def _report(
    samples: dict[str, list[float]], peaks: dict[str, float], tensor_bytes: dict[str, int]
) -> None:
    sys.stderr.write(
        f"{'microseconds':16} {'tensor':>10} {'run':>8} {'median':>9} {'p25':>9} {'p75':>9} "
        f"{'added':>9} {'peak':>6}\n"
    )
    for name, peak in peaks.items():
        bare = summarize(samples[f"session.run, {name}"])["median"]
        found = summarize(samples[name])
        numbers = "".join(f"{found[key]:10.1f}" for key in ("median", "p25", "p75"))
        sys.stderr.write(
            f"{name:16} {tensor_bytes[name]:10} {bare:8.1f}{numbers}"
            f"{found['median'] - bare:10.1f} {peak:6.1f}\n"
        )


if __name__ == "__main__":
    main()
