"""Gain and cost of the extension in one environment: a load of 3 CPU seconds, calls of 20 ms.

The runtime is Lambda's own, on one core. runtime_api.py plays Lambda's side: like Lambda, it
returns an answer before the extension is done. The runtime is stopped as soon as a call is over, as
Lambda freezes it. Each call starts a pause after the previous call is over; background_fleet.py
simulates calls that arrive earlier. `python -m bench.background [--rounds N]`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from bench.results import summarize, write_results
from bench.runtime_api import RuntimeApi
from inference.local.fleet import environment_variables
from inference.local.fleet.freezer import Freezer

if TYPE_CHECKING:
    from types import TracebackType

    from bench.runtime_api import Call

ROOT: Final = Path(__file__).resolve().parent.parent
MODES: Final = ("thread", "auto", "extension")
LOAD_S: Final = 3.0
CALL_S: Final = 0.02
PAUSES_S: Final = (0.0, 0.05, 0.25)
IDLE_CALLS: Final = 500
STEADY_CALLS: Final = 20
MOST_CALLS: Final = 5000

Samples = dict[str, list[float]]


def main() -> None:
    """Measure, print a table, write bench/results/background.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    samples: Samples = {}
    for number in range(rounds):
        for mode in MODES:
            _measure_start(samples, mode)
        _measure_idle(samples)
        for pause_s in PAUSES_S:
            for mode in MODES:
                _measure_swap(samples, mode, pause_s)
        sys.stderr.write(f"round {number + 1} of {rounds}\n")
    path = write_results(
        "background",
        samples,
        "milliseconds, or calls where that is said",
        rounds=rounds,
        load_s=LOAD_S,
        call_s=CALL_S,
    )
    sys.stderr.write(f"{'':58} {'median':>9} {'p25':>9} {'p75':>9} {'p99':>9}\n")
    for name, values in samples.items():
        found = summarize(values)
        numbers = " ".join(f"{found[key]:9.2f}" for key in ("median", "p25", "p75"))
        p99 = f"{statistics.quantiles(values, n=100)[98]:9.2f}" if len(values) > 100 else ""
        sys.stderr.write(f"{name:58} {numbers} {p99}\n")
    sys.stderr.write(f"raw samples: {path.relative_to(ROOT)}\n")


class Environment:
    """One environment, frozen from a call's end to the next call. A context manager."""

    def __init__(self, mode: str) -> None:
        self._api = RuntimeApi()
        self._environ = {
            **environment_variables.inherited(os.environ),
            **environment_variables.set_by_lambda(
                "bench.background_handler.handler", ROOT, 1769, 30
            ),
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "BACKGROUND": mode,
        }

    def __enter__(self) -> Self:
        self._api.__enter__()
        handler = self._environ["_HANDLER"]
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=ROOT,
            env=self._environ,
            stdout=subprocess.DEVNULL,
        )
        os.sched_setaffinity(self._process.pid, {max(os.sched_getaffinity(0))})
        self._freezer = Freezer(lambda: (self._process.pid,))
        self._api.wait_until_idle()
        self.start_ms = (time.perf_counter() - began) * 1e3
        return self

    def call(self, *, frozen: bool = True, pause_s: float = 0.0, **event: Any) -> tuple[Call, int]:
        """Make a call after a pause; return when it is over, with the version that answered."""
        time.sleep(pause_s)
        self._freezer.thaw()
        call = self._api.invoke(json.dumps(event).encode())
        if frozen:
            self._freezer.freeze()
        return call, json.loads(call.answer)["version"]

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._freezer.thaw()
        self._process.kill()
        self._process.wait()
        self._api.__exit__(error_type, error, traceback)


def _measure_start(samples: Samples, mode: str) -> None:
    with Environment(mode) as environment:
        _add(samples, f"start to the first event, {mode}", environment.start_ms)


def _measure_idle(samples: Samples) -> None:
    with Environment("thread") as thread, Environment("extension") as extension:
        for number in range(IDLE_CALLS):
            for mode, environment in (("thread", thread), ("extension", extension)):
                call, _ = environment.call(frozen=False)
                if number >= 50:
                    _add(samples, f"idle call, answered, {mode}", call.answered_s * 1e3)
                    _add(samples, f"idle call, over, {mode}", call.over_s * 1e3)


def _measure_swap(samples: Samples, mode: str, pause_s: float) -> None:
    case = f"{mode}, {pause_s * 1e3:.0f} ms pauses"
    with Environment(mode) as environment:
        steady_s = statistics.median(
            environment.call(call_s=CALL_S, pause_s=pause_s)[0].over_s for _ in range(STEADY_CALLS)
        )
        began = time.perf_counter()
        billed_s = 0.0
        call, version = environment.call(call_s=CALL_S, load_s=LOAD_S, pause_s=pause_s)
        _add(samples, f"answer of the call that began the load, {case}", call.answered_s * 1e3)
        calls = 0
        while version == 1 and calls < MOST_CALLS:
            billed_s += call.over_s - steady_s
            calls += 1
            call, version = environment.call(call_s=CALL_S, pause_s=pause_s)
            _add(samples, f"answers from then on, {case}", call.answered_s * 1e3)
        _add(samples, f"calls until swapped, {case}", calls)
        _add(samples, f"time until swapped, {case}", (time.perf_counter() - began) * 1e3)
        _add(samples, f"billed beyond the calls' own time, {case}", billed_s * 1e3)


def _add(samples: Samples, name: str, value: float) -> None:
    samples.setdefault(name, []).append(value)


if __name__ == "__main__":
    main()
