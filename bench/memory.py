"""Memory after loading, running and unloading models, by the setup of sessions and the heap.

Each case is a separate process that loads in threads, as the manager does, and unloads. Memory is
the growth since a first small session, which pays for ONNX Runtime's own pages. Time is CPU time of
one thread, which other load on the machine hardly affects. Cases are interleaved, round by round.
`python -m bench.memory [--rounds N]`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from bench.heavy_model import WIDTH, write_heavy_model
from bench.results import summarize, write_results

ROOT: Final = Path(__file__).resolve().parent.parent
MAGIKA: Final = ROOT / "models" / "magika" / "build" / "model.onnx"
MANY_ROWS, SOME_ROWS, SHAPES, LOADS = 1024, 128, 200, 40


class Setup(NamedTuple):
    """Setup of sessions and the heap."""

    arena: bool = False
    pattern: bool = False
    one_heap: bool = True
    prepacks: bool = True


SETUPS: Final = {
    "ONNX Runtime's defaults": Setup(arena=True, pattern=True, one_heap=False),
    "no pool": Setup(pattern=True, one_heap=False),
    "no pool, no pattern": Setup(one_heap=False),
    "pool and pattern, one heap": Setup(arena=True, pattern=True),
    "chosen: no pool, no pattern, one heap": Setup(),
    "chosen, and mapped": Setup(prepacks=False),
}


def main() -> None:
    """Measure, print a table, write bench/results/memory.json and memory_time.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        print(json.dumps(_work(Path(arguments.worker[0]), SETUPS[arguments.worker[1]])))
        return
    megabytes: dict[str, list[float]] = {}
    time_ms: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_heavy_model(folder / "one_file.onnx", layers=24)
        write_heavy_model(folder / "external.onnx", layers=24, external=True)
        for layers in (1, 3):
            write_heavy_model(folder / f"small_{layers}.onnx", layers=layers)
        for _ in range(arguments.rounds):
            for setup in SETUPS:
                found = _measure(folder, setup)
                for what, value in found["megabytes"].items():
                    megabytes.setdefault(f"{setup}: {what}", []).append(value)
                for what, values in found["time_ms"].items():
                    time_ms.setdefault(f"{setup}: {what}", []).extend(values)
    load = os.getloadavg()
    write_results("memory", megabytes, "MB beyond a first session", load=load)
    write_results("memory_time", time_ms, "processor milliseconds", load=load)
    for samples in (megabytes, time_ms):
        for what, values in samples.items():
            found = summarize(values)
            print(f"{what:72} {found['median']:9.2f} ({found['p25']:.2f} - {found['p75']:.2f})")


def _measure(folder: Path, setup: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.memory", "--worker", str(folder), setup]
    environ = {**os.environ}
    if not SETUPS[setup].one_heap:
        environ["MALLOC_ARENA_MAX"] = "0"  # glibc's default; `keep_one_heap` does not change it
    done = subprocess.run(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _work(folder: Path, setup: Setup) -> dict[str, Any]:
    from inference.process.memory import give_back, split_bytes  # noqa: PLC0415 - the import keeps one heap

    rows = np.random.default_rng(0).standard_normal((MANY_ROWS, WIDTH), dtype=np.float32)
    held = {"session": _load(folder / "small_1.onnx", setup)}
    held["session"].run(None, {"x": rows[:1]})
    held.clear()
    give_back()
    before = split_bytes()
    found: dict[str, float] = {}
    took: dict[str, list[float]] = {}

    def note(what: str) -> None:
        now = split_bytes()
        found[what] = (now.resident_bytes - before.resident_bytes) / 1e6
        found[f"{what}, of its own"] = (now.anonymous_bytes - before.anonymous_bytes) / 1e6

    for graph in ("one_file", "external"):
        started = time.process_time()
        held["session"] = _load(folder / f"{graph}.onnx", setup)
        took[f"{graph}, load"] = [(time.process_time() - started) * 1e3]
        held["session"].run(None, {"x": rows[:1]})
        note(f"{graph}, warm")
        give_back()
        note(f"{graph}, warm, given back")
        took[f"{graph}, a row"] = _timed(held["session"], {"x": rows[:1]}, 20)
        took[f"{graph}, {SOME_ROWS} rows"] = _timed(held["session"], {"x": rows[:SOME_ROWS]}, 3)
        held["session"].run(None, {"x": rows})
        give_back()
        note(f"{graph}, after {MANY_ROWS} rows, given back")
        held.clear()
        gc.collect()
        note(f"{graph}, let go")
        give_back()
        note(f"{graph}, given back")
    held["session"] = _load(folder / "small_3.onnx", setup)
    held["session"].run(None, {"x": rows[:1]})
    give_back()
    start = found["_"] = split_bytes().resident_bytes / 1e6
    for count in range(1, SHAPES):
        held["session"].run(None, {"x": rows[:count]})
    give_back()
    found[f"{SHAPES} shapes"] = split_bytes().resident_bytes / 1e6 - start
    for load in range(LOADS):
        held["session"] = _load(folder / f"small_{1 + 2 * (load % 2)}.onnx", setup)
        held["session"].run(None, {"x": rows[:1]})
        give_back()
    found[f"{LOADS} loads"] = split_bytes().resident_bytes / 1e6 - start
    del found["_"]
    magika = _load(MAGIKA, setup)
    took["magika"] = _timed(magika, {"bytes": np.arange(2048, dtype=np.int32)[None] % 256}, 40)
    return {"megabytes": found, "time_ms": took}


def _load(graph: Path, setup: Setup) -> Any:
    import onnxruntime  # noqa: PLC0415 - the process that starts the workers does not need it

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = setup.arena
    options.enable_mem_pattern = setup.pattern
    options.add_session_config_entry("session.disable_prepacking", str(int(not setup.prepacks)))
    loaded: list[Any] = []

    def load() -> None:
        providers = ["CPUExecutionProvider"]
        loaded.append(onnxruntime.InferenceSession(str(graph), options, providers=providers))

    thread = threading.Thread(target=load)
    thread.start()
    thread.join()
    return loaded.pop()


def _timed(session: Any, feed: dict[str, Any], calls: int) -> list[float]:
    session.run(None, feed)
    took = []
    for _ in range(calls):
        started = time.process_time()
        session.run(None, feed)
        took.append((time.process_time() - started) * 1e3)
    return took


if __name__ == "__main__":
    main()
