"""Latency of calls during a hot swap, compared with the naive way: reloading in the request.

Two fleets of four environments take turns answering the same steady load: Coldpress's handler with
a store, and bench/handlers/reload_in_request.py with a file. In each turn another process publishes
a version, and the load continues until every environment answers with the version. Calls are
grouped as steady, publishing, and swapping: from the publication until every environment has the
version. `python -m bench.hot_swap [--versions N] [--megabytes MB]`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bench.results import write_results
from bench.served_fleet import served_fleet
from bench.steady_load import SteadyLoad
from bench.swap_models import MODEL, WAYS, publisher

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.steady_load import Call

ENVIRONMENTS: Final = 4
MEMORY_MB: Final = 1769
STEADY_S: Final = 1.5
KINDS: Final = ("steady", "publishing", "swapping")
HANDLERS: Final = {
    "coldpress": "inference.predict_function.handler",
    "naive": "bench.handlers.reload_in_request.handler",
}
PATH: Final = f"/v2/models/{MODEL}/infer"


@dataclass
class Rival:
    """One way to swap: its fleet, its publisher, and its measurements."""

    name: str
    url: str
    publish: Callable[[int], None]
    milliseconds: dict[str, list[float]] = field(default_factory=lambda: {k: [] for k in KINDS})
    swap_s: list[float] = field(default_factory=list)
    failed: int = 0
    wrong: int = 0

    def swap_to(self, number: int, *, clients: int, period_s: float) -> None:
        """Run one turn: call before and during the publication, until every environment swapped."""
        with SteadyLoad(self.url, PATH, clients=clients, period_s=period_s) as load:
            load.wait_until(lambda: len(load.newest_by_environment()) == ENVIRONMENTS, "a start")
            steady_at = time.monotonic()
            time.sleep(STEADY_S)
            publishing_at = time.monotonic()
            self.publish(number)
            published_at = time.monotonic()
            everywhere = {number}
            load.wait_until(
                lambda: set(load.newest_by_environment().values()) == everywhere, "a swap"
            )
            swapped_at = time.monotonic()
        self.swap_s.append(swapped_at - published_at)
        edges = (steady_at, publishing_at, published_at, swapped_at)
        for call in load.calls:
            self._note(call, edges)

    def _note(self, call: Call, edges: tuple[float, ...]) -> None:
        self.failed += call.problem is not None
        self.wrong += call.problem is None and not call.right
        for kind, since, until in zip(KINDS, edges, edges[1:], strict=False):
            if since <= call.sent_at < until:
                self.milliseconds[kind].append(call.duration_s * 1e3)

    def summary(self) -> dict[str, Any]:
        """Return the results of all calls: numbers, failures, latencies, and swap times."""
        p99 = {kind: percentile(values, 99) for kind, values in self.milliseconds.items()}
        return {
            "calls": {kind: len(values) for kind, values in self.milliseconds.items()},
            "failed": self.failed,
            "wrong_for_their_version": self.wrong,
            "median_ms": {k: statistics.median(v) for k, v in self.milliseconds.items()},
            "p99_ms": p99,
            "longest_ms": {kind: max(values) for kind, values in self.milliseconds.items()},
            "p99_swapping_to_steady": p99["swapping"] / p99["steady"],
            "until_everywhere_s": {
                "median": statistics.median(self.swap_s),
                "longest": max(self.swap_s),
            },
        }


def percentile(values: list[float], percent: int) -> float:
    """Return the given percentile of the values."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def main() -> None:
    """Measure, print a table, write bench/results/hot_swap.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--versions", type=int, default=50)
    parser.add_argument("--megabytes", type=int, default=64)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--period-ms", type=float, default=40, help="between a client's calls")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        rivals = [_rival(name, Path(temporary) / name, options, stack) for name in WAYS]
        for number in range(2, options.versions + 2):
            for rival in rivals:
                rival.swap_to(number, clients=options.clients, period_s=options.period_ms / 1e3)
            sys.stderr.write(f"\rversion {number} of {options.versions + 1}")
    sys.stderr.write("\n")
    found = {rival.name: rival.summary() for rival in rivals}
    path = write_results(
        "hot_swap",
        {f"{r.name}, {kind}": r.milliseconds[kind] for r in rivals for kind in KINDS},
        "milliseconds",
        options=vars(options) | {"environments": ENVIRONMENTS, "memory_mb": MEMORY_MB},
        load_average=os.getloadavg(),
        rivals=found,
    )
    _print(found)
    sys.stderr.write(f"raw samples: {path}\n")


def _rival(name: str, folder: Path, options: argparse.Namespace, stack: ExitStack) -> Rival:
    folder.mkdir()
    publish = stack.enter_context(publisher(name, folder, options.megabytes))
    publish(1)
    environ = {"STORE_PATH": str(folder / "store"), "MODEL_FILE": str(folder / "model.onnx")}
    url = stack.enter_context(
        served_fleet(
            HANDLERS[name],
            environ | {"POWERTOOLS_METRICS_DISABLED": "true"},
            environments=ENVIRONMENTS,
            memory_mb=MEMORY_MB,
            log=folder / "log",
        )
    )
    return Rival(name, url, publish)


def _print(found: Mapping[str, Mapping[str, Any]]) -> None:
    sys.stderr.write(f"{'milliseconds':24} {'calls':>7} {'median':>8} {'p99':>8} {'longest':>8}\n")
    for name, rival in found.items():
        for kind in KINDS:
            numbers = [rival[each][kind] for each in ("median_ms", "p99_ms", "longest_ms")]
            shown = " ".join(f"{number:8.1f}" for number in numbers)
            sys.stderr.write(f"{f'{name}, {kind}':24} {rival['calls'][kind]:7} {shown}\n")
        ratio, everywhere = rival["p99_swapping_to_steady"], rival["until_everywhere_s"]
        sys.stderr.write(
            f"{name}: p99 during swaps is {ratio:.2f} times the steady one; "
            f"{rival['failed']} calls failed, {rival['wrong_for_their_version']} were wrong; "
            f"everywhere after {everywhere['median']:.1f} s (at most {everywhere['longest']:.1f})\n"
        )


if __name__ == "__main__":
    main()
