"""Simulation of a fleet whose environments all learn of a new version at the same time.

A simulation, not a measurement: Lambda's router is not available. Calls arrive at random (Poisson).
Each call takes 20 ms in a free environment, which Lambda chooses (its rule is unknown: the one used
last, or any). If no environment is free, the call waits for a cold start that loads the new
version. A load slows concurrent calls to half speed, as measured by background.py; between calls it
continues as `BACKGROUND` says. `python -m bench.background_fleet [--seeds N]`.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.background import CALL_S, LOAD_S, MODES
from bench.results import write_results
from inference.lambda_runtime.extension import PAUSES

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT: Final = Path(__file__).resolve().parent.parent
START_S: Final = 0.3
EXPIRES_S: Final = 300.0
BEFORE_S: Final = 600.0
AFTER_S: Final = 120.0
RATES: Final = (0.1, 1.0, 10.0, 100.0)
ROUTES: Final = ("the one used last", "any")


class Environment:
    """One environment: when it is free, pauses between calls, load left (None: not begun)."""

    def __init__(self) -> None:
        self.free_at = 0.0
        self.pauses_s: list[float] = []
        self.left_s: float | None = None
        self.is_new = False


class Outcome:
    """Outcome of a simulation after the publication."""

    def __init__(self) -> None:
        self.cold_starts = 0
        self.old_answers = 0
        self.last_swap_s = 0.0
        self.never_swapped = 0


HOLDS: Final[dict[str, Callable[[Environment], float]]] = {
    "thread": lambda _: 0.0,
    "auto": lambda environment: min(environment.pauses_s, default=0.0),
    "extension": lambda _: float("inf"),
}


def main() -> None:
    """Simulate, print a table, write bench/results/background_fleet.json."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    samples: dict[str, list[float]] = {}
    sys.stderr.write(f"{'':42} cold starts  old answers  last swap, s  not in {AFTER_S:g} s\n")
    for rate in RATES:
        for route in ROUTES:
            for mode in MODES:
                found = [simulate(mode, rate, route, seed) for seed in range(seeds)]
                case = f"{rate:g}/s, {route}, {mode}"
                samples[f"cold starts, {case}"] = [float(each.cold_starts) for each in found]
                samples[f"old answers, {case}"] = [float(each.old_answers) for each in found]
                samples[f"last swap, s, {case}"] = [each.last_swap_s for each in found]
                samples[f"not swapped, {case}"] = [float(each.never_swapped) for each in found]
                means = [
                    statistics.mean(samples[f"{what}, {case}"])
                    for what in ("cold starts", "old answers", "last swap, s", "not swapped")
                ]
                sys.stderr.write(f"{case:42}" + "".join(f"{mean:12.1f} " for mean in means) + "\n")
    path = write_results("background_fleet", samples, "as said", seeds=seeds, start_s=START_S)
    sys.stderr.write(f"raw samples: {path.relative_to(ROOT)}\n")


def simulate(mode: str, rate: float, route: str, seed: int) -> Outcome:
    """Publish after `BEFORE_S` of calls, and continue for `AFTER_S`."""
    chance = random.Random(seed)  # noqa: S311 - a simulation
    found, fleet, now = Outcome(), list[Environment](), 0.0
    while (now := now + chance.expovariate(rate)) < BEFORE_S + AFTER_S:
        published = now >= BEFORE_S
        fleet = [each for each in fleet if now - each.free_at < EXPIRES_S]
        free = [each for each in fleet if each.free_at <= now]
        if not free:
            environment = Environment()
            environment.is_new = published
            environment.free_at = now + START_S + LOAD_S + CALL_S
            fleet.append(environment)
            found.cold_starts += published
            continue
        environment = chance.choice(free) if route == "any" else max(free, key=_free_at)
        environment.pauses_s = [*environment.pauses_s, now - environment.free_at][-PAUSES:]
        if not published or environment.is_new:
            environment.free_at = now + CALL_S
            continue
        found.old_answers += 1
        left_s = LOAD_S if environment.left_s is None else environment.left_s
        beside_s = min(left_s, CALL_S)
        held_s = min(left_s - beside_s, HOLDS[mode](environment))
        environment.left_s = left_s - beside_s - held_s
        environment.free_at = now + CALL_S + beside_s + held_s
        if environment.left_s <= 1e-9:
            environment.is_new = True
            found.last_swap_s = max(found.last_swap_s, environment.free_at - BEFORE_S)
    found.never_swapped = sum(not each.is_new for each in fleet)
    return found


def _free_at(environment: Environment) -> float:
    return environment.free_at


if __name__ == "__main__":
    main()
