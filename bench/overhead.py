"""Overhead of the handler over a bare `session.run`, and of each of its parts.

The model has Magika's pipeline, input and output, and a graph of two nodes: the noise of a real
graph would hide the overhead. Each round times every case once, one after the other, so that other
load on the machine affects all cases alike. `python -m bench.overhead [--rounds N]`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.events import http_event
from bench.results import summarize, write_results
from model_sync.progress import Silent
from model_sync.publishing.build_script import missing_outputs, run_build
from model_sync.publishing.publish import publish
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent.parent
MAGIKA: Final = ROOT / "models" / "magika"
INPUTS, OUTPUTS = 2048, 214
WARM_UP_ROUNDS: Final = 200


def main() -> None:
    """Measure, print a table, write bench/results/overhead.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3000)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        cases = _cases(Path(temporary))
        samples = _measure(cases, rounds)
    path = write_results("overhead", samples, "microseconds", rounds=rounds)
    _report(samples)
    sys.stderr.write(f"raw samples: {path.relative_to(ROOT)}\n")


def write_two_nodes(path: Path) -> None:
    """Write a graph with Magika's input and output that consists of a cast and a slice."""
    constants = {"starts": [0], "ends": [OUTPUTS], "axes": [1]}
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["bytes"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("Slice", ["floats", *constants], ["target_label"]),
        ],
        "two_nodes",
        [helper.make_tensor_value_info("bytes", TensorProto.INT32, ["n", INPUTS])],
        [helper.make_tensor_value_info("target_label", TensorProto.FLOAT, ["n", OUTPUTS])],
        [numpy_helper.from_array(np.array(v, np.int64), k) for k, v in constants.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save_model(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))


def _cases(temporary: Path) -> dict[str, Callable[[], object]]:
    folder, store = temporary / "two-nodes", temporary / "store"
    recipe = read_recipe(FolderSource(MAGIKA))
    if recipe.build and missing_outputs(MAGIKA, recipe.build):
        run_build(MAGIKA, recipe.build)
    shutil.copytree(MAGIKA, folder, ignore=shutil.ignore_patterns("golden", "__pycache__"))
    write_two_nodes(folder / "build" / "model.onnx")
    text = (MAGIKA / "model.toml").read_text("utf-8")
    (folder / "model.toml").write_text(text.split("[golden]")[0], "utf-8")
    publish(folder, store, progress=Silent(), name="two-nodes")

    os.environ["STORE_PATH"] = str(store)
    # Metrics and logs are written, as on Lambda, but not to this terminal.
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end
    from inference.http.events import body_bytes  # noqa: PLC0415
    from inference.pipeline import Request  # noqa: PLC0415
    from inference.predict_function import application, handler  # noqa: PLC0415 - they read the environment
    from inference.protocol.json_codec import read  # noqa: PLC0415
    from inference.protocol.requests import parse_infer_request  # noqa: PLC0415
    from inference.protocol.responses import render_infer_body  # noqa: PLC0415
    from inference.telemetry import count_call  # noqa: PLC0415

    context = SimpleNamespace(aws_request_id="00000000-0000-0000-0000-000000000000")
    file = (MAGIKA / "pipeline.py").read_bytes()
    raw = http_event("/models/two-nodes/predict", file, "application/octet-stream")
    body = json.dumps(_infer_request(file)).encode()
    infer = http_event("/v2/models/two-nodes/infer", body, "application/json")
    live = http_event("/v2/health/live", method="GET")
    for event in (raw, infer, live):
        answer = handler(event, context)
        if answer["statusCode"] != 200:
            raise RuntimeError(answer["body"])

    loaded = application._manager.resolve("two-nodes").loaded  # noqa: SLF001 - its parts are timed alone
    tensors = parse_infer_request(body, loaded.signature).tensors
    outputs = loaded.run(tensors)
    request = Request(file)
    session, pipeline = loaded.session, loaded.pipeline
    if pipeline is None:
        raise RuntimeError("the model was published without its pipeline")
    return {
        "session.run": lambda: session.run(None, tensors),
        "raw-bytes predict": lambda: handler(raw, context),
        "JSON infer": lambda: handler(infer, context),
        "part: GET /v2/health/live": lambda: handler(live, context),
        "part: body from base64": lambda: body_bytes(raw),
        "part: pipeline decode": lambda: pipeline.decode(request),
        "part: pipeline encode": lambda: pipeline.encode(outputs, request),
        "part: reading the body's JSON": lambda: read(body),
        "part: JSON request to tensors": lambda: parse_infer_request(body, loaded.signature),
        "part: response to JSON": lambda: render_infer_body(outputs, model="m", version=1),
        "part: metrics of a call": lambda: count_call("two-nodes", 200, 1.0),
        "part: resolve a version": lambda: application._manager.resolve("two-nodes"),  # noqa: SLF001
    }


def _infer_request(file: bytes) -> dict[str, Any]:
    data = list(file[:INPUTS].ljust(INPUTS, b"\0"))
    item = {"name": "bytes", "shape": [1, INPUTS], "datatype": "INT32", "data": data}
    return {"inputs": [item]}


def _measure(cases: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for number in range(WARM_UP_ROUNDS + rounds):
        for name, case in cases.items():
            started = time.perf_counter_ns()
            case()
            elapsed = (time.perf_counter_ns() - started) / 1e3
            if number >= WARM_UP_ROUNDS:
                samples[name].append(elapsed)
    return samples


def _report(samples: dict[str, list[float]]) -> None:
    bare = summarize(samples["session.run"])["median"]
    sys.stderr.write(
        f"{'microseconds':32} {'median':>8} {'p25':>8} {'p75':>8} {'added':>8} {'ratio':>7}\n"
    )
    for name, values in samples.items():
        found = summarize(values)
        whole = not name.startswith("part:")
        added = f"{found['median'] - bare:8.1f} {found['median'] / bare:7.1f}" if whole else ""
        numbers = f"{found['median']:8.1f} {found['p25']:8.1f} {found['p75']:8.1f}"
        sys.stderr.write(f"{name:32} {numbers} {added}\n")


if __name__ == "__main__":
    main()
