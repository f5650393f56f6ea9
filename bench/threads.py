"""Cost of a session's threads: the latency and the CPU time of a call.

Each case is a session in a separate process. Each round makes a few calls of every case, one case
after the other, so that other load on the machine affects all cases alike. A pause separates calls,
as it separates events: spinning threads spin during the pause, and that time counts. With
`--processors 1,1.7` (as root), the cases also run in control groups with these CPU shares, as on
Lambda.

    python -m bench.threads [--rounds N] [--processors 0.5,1,1.7]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from bench.heavy_model import WIDTH, write_heavy_model
from bench.processor_share import processor_share
from bench.results import summarize, write_results

ROOT: Final = Path(__file__).resolve().parent.parent
MAGIKA: Final = ROOT / "models" / "magika" / "build" / "model.onnx"
CALLS, PAUSE_S = 60, 0.002
LAYERS: Final = 24


class Case(NamedTuple):
    """A model, the share of processors that its process has (0: all), and the session's threads."""

    model: str
    processors: float
    threads: int
    spins: bool

    def __str__(self) -> str:
        share = f", {self.processors:g} processors" if self.processors else ""
        threads = f"{self.threads} threads" if self.threads else "as ONNX Runtime chooses"
        return f"{self.model}{share}: {threads}{', spinning' if self.spins else ''}"


def main() -> None:
    """Measure, print a table, write bench/results/threads.json and threads_cpu.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--processors", default="", help="CPU shares to try, too")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        _work(*arguments.worker)
        return
    shares = [0.0, *(float(each) for each in arguments.processors.split(",") if each)]
    load_before = os.getloadavg()
    with tempfile.TemporaryDirectory() as temporary:
        heavy = Path(temporary) / "heavy.onnx"
        write_heavy_model(heavy, layers=LAYERS)
        latency, burned = _measure({"magika": MAGIKA, "heavy": heavy}, shares, arguments.rounds)
    more = {"calls_a_round": CALLS, "load": [load_before, os.getloadavg()]}
    write_results("threads", latency, "milliseconds a call", **more)
    write_results("threads_cpu", burned, "processor milliseconds a call", **more)
    _report(latency, burned)


def _measure(
    models: dict[str, Path], shares: list[float], rounds: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    cases = [
        Case(model, share, threads, spins)
        for model in models
        for share in shares
        for threads, spins in ((1, False), (2, False), (2, True), (0, True))
    ]
    latency: dict[str, list[float]] = {str(case): [] for case in cases}
    burned: dict[str, list[float]] = {str(case): [] for case in cases}
    with contextlib.ExitStack() as stack:
        workers = {case: _start(case, models[case.model], stack) for case in cases}
        for _ in range(rounds):
            for case, worker in workers.items():
                found = _ask(worker)
                latency[str(case)] += found["latency_ms"]
                burned[str(case)].append(found["processor_ms"])
    return latency, burned


def _start(case: Case, model: Path, stack: contextlib.ExitStack) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench.threads", "--worker"]
    worker = subprocess.Popen(
        [*command, str(model), str(case.threads), str(int(case.spins))],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    if case.processors:
        # Left in the reverse order: the group is removed after its process has ended.
        processes = stack.enter_context(processor_share(case.processors))
        processes.write_text(str(worker.pid), "ascii")
    stack.enter_context(worker)
    stack.callback(worker.kill)
    _ask(worker)
    return worker


def _ask(worker: subprocess.Popen[str]) -> dict[str, Any]:
    if worker.stdin is None or worker.stdout is None:
        raise AssertionError("a worker is started with pipes")
    worker.stdin.write("go\n")
    worker.stdin.flush()
    found: dict[str, Any] = json.loads(worker.stdout.readline())
    return found


def _work(model: str, threads: str, spins: str) -> None:
    import onnxruntime  # noqa: PLC0415 - the process that starts the workers does not need it

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", spins)
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    values = np.arange(2048, dtype=np.int32) % 256 if name == "bytes" else _floats()
    for _ in sys.stdin:
        latency_ms, before = [], time.process_time()
        for _ in range(CALLS):
            started = time.perf_counter()
            session.run(None, {name: values[None]})
            latency_ms.append((time.perf_counter() - started) * 1e3)
            time.sleep(PAUSE_S)
        processor_ms = (time.process_time() - before) * 1e3 / CALLS
        print(json.dumps({"latency_ms": latency_ms, "processor_ms": processor_ms}), flush=True)


def _floats() -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(0).standard_normal(WIDTH, dtype=np.float32)


def _report(latency: dict[str, list[float]], burned: dict[str, list[float]]) -> None:
    print(f"{'':48} {'ms a call: median (quartiles), p99':>40} {'processor ms':>24}")
    for case, values in latency.items():
        took, cost = summarize(values), summarize(burned[case])
        p99 = float(np.quantile(values, 0.99))
        print(
            f"{case:48} {took['median']:12.2f} ({took['p25']:.2f} - {took['p75']:.2f}) {p99:8.2f}"
            f" {cost['median']:14.2f} ({cost['p25']:.2f} - {cost['p75']:.2f})"
        )


if __name__ == "__main__":
    main()
