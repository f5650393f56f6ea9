"""Time from a process's start to its first Magika answer, in the real Lambda runtime (emulated).

Coldpress is compared with two handlers of 15 lines (bench/handlers/): one bare, one with the same
Powertools imports. The three are interleaved, each call in its own environment. Files are in the
page cache, so the times are those of imports and loading, not of EFS.
The milliseconds of imports alone are measured in fresh processes, without a model.
`python -m bench.first_answer`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from bench.events import http_event
from bench.results import summarize, write_results
from inference.local.fleet.environment import LambdaEnvironment
from model_store.layout import StoreLayout
from model_store.reading import read_upward
from model_sync.progress import Silent
from model_sync.publishing.publish import publish

ROOT: Final = Path(__file__).resolve().parent.parent
HANDLERS: Final = {
    "Coldpress": "inference.predict_function.handler",
    "15 lines": "bench.handlers.bare.handler",
    "15 lines with Powertools": "bench.handlers.powertools.handler",
}
IMPORTS: Final = {
    "import: numpy, onnxruntime": "import numpy, onnxruntime",
    "import: these and Powertools": (
        "import numpy, onnxruntime; from aws_lambda_powertools import Logger; "
        "from aws_lambda_powertools.event_handler import APIGatewayHttpResolver; "
        "from aws_lambda_powertools.metrics import EphemeralMetrics"
    ),
    "import: inference.predict_function": "import inference.predict_function",
    "import: nothing": "pass",
}


def main() -> None:
    """Measure, print a table, write bench/results/first_answer.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        store = Path(temporary) / "store"
        publish(ROOT / "models" / "magika", store, progress=Silent())
        samples = _measure(store, rounds)
    path = write_results("first_answer", samples, "milliseconds", rounds=rounds)
    baseline = summarize(samples["15 lines with Powertools"])["median"]
    sys.stderr.write(f"{'milliseconds':32} {'median':>8} {'p25':>8} {'p75':>8} {'ratio':>8}\n")
    for name, values in samples.items():
        found = summarize(values)
        numbers = f"{found['median']:8.1f} {found['p25']:8.1f} {found['p75']:8.1f}"
        ratio = f"{found['median'] / baseline:8.2f}" if name in HANDLERS else ""
        sys.stderr.write(f"{name:32} {numbers} {ratio}\n")
    sys.stderr.write(f"raw samples: {path.relative_to(ROOT)}\n")


def _measure(store: Path, rounds: int) -> dict[str, list[float]]:
    # Preload the default model, as the deployed function does.
    environ = {"STORE_PATH": str(store), "DEFAULT_MODEL": "magika", "PRELOAD_MODELS": "magika"}
    environ["MODEL_FILE"] = str(_graph(store))
    no_model = {"STORE_PATH": str(store)}
    event = http_event("/predict", (ROOT / "Makefile").read_bytes(), "application/octet-stream")
    samples: dict[str, list[float]] = {name: [] for name in (*HANDLERS, *IMPORTS)}
    for number in range(rounds + 1):  # the first round fills the page cache, and bytecode
        for name, handler in HANDLERS.items():
            elapsed_ms = _first_answer_ms(handler, environ, event)
            if number:
                samples[name].append(elapsed_ms)
        for name, code in IMPORTS.items():
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=no_model, check=True)
            if number:
                samples[name].append((time.perf_counter() - started) * 1e3)
    return samples


def _first_answer_ms(handler: str, environ: dict[str, str], event: dict[str, Any]) -> float:
    # The emulator starts the runtime's process at the first call, so the call includes the start.
    with LambdaEnvironment(handler, environ=environ, cwd=ROOT) as environment:
        answer = environment.invoke(event)
        if answer["statusCode"] != 200:
            raise RuntimeError(f"{handler} answered {answer}")
        return environment.last_call_s * 1e3


def _graph(store: Path) -> Path:
    """Return the path of the published graph, which the 15-line handlers load."""
    layout = StoreLayout(store).model("magika")
    refs = read_upward(layout)
    if refs is None:
        raise RuntimeError("magika is not published")
    return layout.version(refs.versions[refs.labels["latest"]].id) / "source" / "model.onnx"


if __name__ == "__main__":
    main()
