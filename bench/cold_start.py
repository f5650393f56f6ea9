"""Time from a process's start to its first answer, with the store on the stand-in for EFS.

Three processes take turns, each on a fresh mount (bench/cold_runs.py):

- naive: `InferenceSession(path)` in a global, with the same number of threads, and one call;
- ours: `inference.predict_function.handler` with the model preloaded, as deployed, and one event;
- floor: the bytes that `ours` reads, read by the best parallel reader, after importing numpy and
  ONNX Runtime, without a session.

    python -m bench.cold_start [--models magika,bert-base] [--rounds 5] [--read-ahead 128,15000]
                               [--memory 2048]

The first round is not timed: it warms local disk, counts calls, and chooses the number of readers
of `floor`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bench.case_options import parse_cases
from bench.cold_cases import CACHE, ROOT, Case, missing_space
from bench.cold_models import MODELS
from bench.cold_runs import run
from bench.efs_stand_in import Options
from bench.results import summarize, write_results
from inference.local.fleet.cgroups import NoLimitsError, find_limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.cold_runs import Run
    from inference.local.fleet.cgroups import Limits

WAYS: Final = ("naive", "ours", "floor")
READERS: Final = (4, 8, 16, 32)
_TRIES: Final = 2
_COUNTED: Final = ("lookup", "getattr", "open", "read", "read_bytes")


def main() -> None:
    """Measure, print a table, write bench/results/cold_start.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--memory", type=int, help="memory in MB: limits by cgroups")
    arguments, names, read_aheads = parse_cases(parser, "models", MODELS)
    if missing := missing_space(names):
        sys.exit(f"error: {missing}")
    try:
        limits = find_limits(arguments.memory) if arguments.memory else None
    except NoLimitsError as error:
        sys.exit(f"error: --memory {arguments.memory}: {error} (it needs root)")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unmounts, as Ctrl-C does
    cases: list[dict[str, Any]] = []
    try:
        for name in names:
            with tempfile.TemporaryDirectory(dir=CACHE.parent, prefix="cold-start-") as folder:
                case = Case(name, Path(folder), limits)
                for read_ahead in read_aheads:
                    cases.append(_measure(case, read_ahead, arguments.rounds))
                    path = _write(cases, limits)
                    _report(cases[-1])
    except KeyboardInterrupt:
        sys.exit(130)
    sys.stderr.write(f"raw samples: {path.relative_to(ROOT)}\n")


def _write(cases: Sequence[Mapping[str, Any]], limits: Limits | None) -> Path:
    """Write the results so far: a run of all cases takes a quarter of an hour."""
    samples: dict[str, list[float]] = {}
    described = []
    for case in cases:
        for way, values in case["samples_ms"].items():
            samples[f"{case['model']}, {case['read_ahead_kib']} KiB: {way}"] = values
        described.append({key: value for key, value in case.items() if key != "samples_ms"})
    name = f"cold_start_{limits.memory_mb}_mb" if limits else "cold_start"
    return write_results(name, samples, "milliseconds", cases=described)


def _measure(case: Case, read_ahead_kib: int, rounds: int) -> dict[str, Any]:
    options = Options(read_ahead_kib=read_ahead_kib)
    load = [os.getloadavg()[0]]
    counted = {way: _run(case, way, options, trace=True) for way in ("naive", "ours")}
    _check_answers(case, counted["naive"], counted["ours"])
    ranges = [
        (str(case.mountpoint / path), start, size)
        for path, start, size in counted["ours"].reads
        if "/golden/" not in path  # golden cases run after the answer and do not delay it
    ]
    case.ranges.write_text(json.dumps(ranges), "utf-8")
    n_bytes = sum(size for _, _, size in ranges)
    tried = {
        readers: min(
            _run(case, "floor", options, readers=readers).phases_ms["read"] for _ in range(_TRIES)
        )
        for readers in READERS
    }
    readers = min(tried, key=lambda each: tried[each])
    counted["floor"] = _run(case, "floor", options, readers=readers)
    if counted["floor"].answer["read_bytes"] != n_bytes:
        raise RuntimeError("the floor did not read the given ranges")
    runs: dict[str, list[Run]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            runs[way].append(_run(case, way, options, readers=readers))
    load.append(os.getloadavg()[0])
    return {
        "model": case.name,
        "title": MODELS[case.name].title,
        "size_bytes": case.size_bytes,
        "read_ahead_kib": read_ahead_kib,
        "read_bytes": n_bytes,
        "readers": readers,
        "readers_ms": tried,
        "load": load,
        "summary_ms": {way: summarize([each.total_ms for each in runs[way]]) for way in WAYS},
        "phases_ms": {way: _medians([each.phases_ms for each in runs[way]]) for way in WAYS},
        "peak_mb": {way: statistics.median(each.peak_mb for each in runs[way]) for way in WAYS[:2]},
        "counts": {way: {key: counted[way].counts[key] for key in _COUNTED} for way in WAYS},
        "samples_ms": {way: [each.total_ms for each in runs[way]] for way in WAYS},
    }


def _run(case: Case, way: str, options: Options, *, readers: int = 1, trace: bool = False) -> Run:
    arguments = {
        "naive": [str(case.graph), str(case.inputs), str(case.threads)],
        "ours": [str(case.event)],
        "floor": [str(readers), str(case.ranges)],
    }[way]
    options = Options(read_ahead_kib=options.read_ahead_kib, trace=trace)
    return run(way, arguments, case.source, case.mountpoint, options, case.environ, case.limits)


def _check_answers(case: Case, naive: Run, ours: Run) -> None:
    """Compare the answers of two variants, which differ only in the last bits of most floats."""
    expected, found = (np.array(each.answer["values"]) for each in (naive, ours))
    if not np.allclose(expected, found, rtol=1e-2, atol=1e-3):
        raise RuntimeError(f"{case.name}: ours answers {found}, naive answers {expected}")


def _medians(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(each[name] for each in found) for name in found[0]}


def _report(case: Mapping[str, Any]) -> None:
    medians = {way: case["summary_ms"][way]["median"] for way in WAYS}
    write = sys.stderr.write
    write(
        f"{case['title']}, {case['size_bytes'] / 1e6:.0f} MB, read-ahead "
        f"{case['read_ahead_kib']} KiB; load {case['load'][0]:.1f} to {case['load'][1]:.1f}\n"
    )
    for way in WAYS:
        found, counts = case["summary_ms"][way], case["counts"][way]
        peak = f"{case['peak_mb'][way]:6.0f} MB peak" if way in case["peak_mb"] else " " * 14
        phases = ", ".join(f"{name} {ms:.0f}" for name, ms in case["phases_ms"][way].items())
        write(
            f"  {way:6}{found['median']:8.0f} ms ({found['p25']:.0f} - {found['p75']:.0f}){peak}"
            f"  {counts['open']} opens, {counts['read']} reads, {counts['read_bytes'] / 1e6:.1f} MB"
            f"\n         {phases}\n"
        )
    write(
        f"  ours/floor {medians['ours'] / medians['floor']:.2f} ({case['readers']} readers), "
        f"naive/ours {medians['naive'] / medians['ours']:.2f}\n"
    )


if __name__ == "__main__":
    main()
