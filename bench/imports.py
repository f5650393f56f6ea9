"""Time to import packages on the stand-in for EFS: plain, from an archive, and by Coldpress.

There are three sets of packages, each with modules that a pipeline might import. Each import runs
on a fresh mount, in a fresh process that has already imported numpy:

- local: a plain folder with bytecode on local disk, in the page cache: the lower bound;
- plain: the same folder on the stand-in, on `sys.path`;
- zip: sources and bytecode in one archive (`zipimport`), extensions in a folder;
- index: a published set by its index, without reading ahead;
- ours: the same, reading the recorded ranges ahead, as a function does.

    python -m bench.imports [--sets small,middle,large] [--rounds 5] [--read-ahead 128,15000]

Needs 4 GB in .cache, where the sets are kept. The first round is not timed.
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

from bench.case_options import parse_cases
from bench.cold_cases import ROOT
from bench.cold_runs import run
from bench.efs_stand_in import Options
from bench.import_sets import CACHE, SETS, make_set, run_here
from bench.results import summarize, write_results
from model_store.package_set import SITE_PACKAGES
from model_store.recorded_imports import IMPORT_BLOCK_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.import_sets import BuiltSet

WAYS: Final = ("plain", "zip", "index", "ours")
COUNTED: Final = ("lookup", "getattr", "open", "read", "read_bytes")


def main() -> None:
    """Measure, print a table, write bench/results/imports.json."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments, names, read_aheads = parse_cases(parser, "sets", SETS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # unmounts, as Ctrl-C does
    cases: list[dict[str, Any]] = []
    samples: dict[str, list[float]] = {}
    try:
        for name in names:
            built = make_set(name)
            for read_ahead in read_aheads:
                case, times = _measure(name, built, read_ahead, arguments.rounds)
                cases.append(case)
                samples |= {f"{name}, {read_ahead} KiB: {way}": ms for way, ms in times.items()}
                path = write_results("imports", samples, "milliseconds", cases=cases)
                _report(case)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.stderr.write(f"raw samples: {path.relative_to(ROOT)}\n")


def _local_ms(arguments: Sequence[str]) -> float:
    done = run_here(arguments)
    if done.returncode:
        raise RuntimeError(f"imports.py {' '.join(arguments)}: {done.stderr}")
    marks = json.loads(done.stdout)["marks"]
    return float(marks["answer"] - marks["imports"]) * 1e3


def _measure(
    name: str, built: BuiltSet, read_ahead_kib: int, rounds: int
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    modules = SETS[name].modules
    ways = [way for way in WAYS if way != "zip" or built.zip_error is None]
    times: dict[str, list[float]] = {way: [] for way in ("local", "local, ours", *ways)}
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="mount-") as folder:
        mount, recorded = Path(folder) / "mount", str(Path(folder) / "recorded.json")
        mount.mkdir()
        store = (str(built.source / "store"), built.digest, recorded)
        _local_ms(["record", *store, *modules])
        plain = ["plain", str(built.source / "plain" / SITE_PACKAGES), *modules]
        arguments = {
            "plain": [str(mount / "plain" / SITE_PACKAGES), *modules],
            "zip": [str(mount / "zip"), *modules],
            "index": [str(mount / "store"), built.digest, *modules],
            "ours": [str(mount / "store"), built.digest, recorded, *modules],
        }

        def once(way: str, *, trace: bool = False) -> Any:
            options = Options(read_ahead_kib=read_ahead_kib, trace=trace)
            return run("imports", [way, *arguments[way]], built.source, mount, options, {})

        counts = {way: once(way, trace=True).counts for way in ways}
        for _ in range(rounds):
            times["local"].append(_local_ms(plain))
            times["local, ours"].append(_local_ms(["index", *store[:2], *modules]))
            for way in ways:
                times[way].append(once(way).phases_ms["read"])
        n_recorded = sum(
            count * IMPORT_BLOCK_BYTES
            for each in json.loads(Path(recorded).read_text("utf-8"))
            for _, count in each["ranges"]
        )
        recorded_bytes = Path(recorded).stat().st_size
    case = {
        "set": name,
        "modules": modules,
        "size_bytes": built.size_bytes,
        "files": built.files,
        "read_ahead_kib": read_ahead_kib,
        "zip_error": built.zip_error,
        "recorded_bytes": n_recorded,
        "recording_bytes": recorded_bytes,
        "summary_ms": {way: summarize(ms) for way, ms in times.items()},
        "counts": {way: {key: counts[way][key] for key in COUNTED} for way in ways},
    }
    return case, times


def _report(case: dict[str, Any]) -> None:
    medians = {way: found["median"] for way, found in case["summary_ms"].items()}
    write = sys.stderr.write
    write(
        f"{case['set']}: {', '.join(case['modules'])} of {case['size_bytes'] / 1e6:.0f} MB in "
        f"{case['files']} files, read-ahead {case['read_ahead_kib']} KiB; load "
        f"{statistics.fmean(os.getloadavg()):.1f}\n"
    )
    for way, found in case["summary_ms"].items():
        counts = case["counts"].get(way)
        shown = ", ".join(f"{key} {counts[key]}" for key in COUNTED) if counts else ""
        spread = f"({found['p25']:.0f} - {found['p75']:.0f})"
        write(f"  {way:12}{found['median']:8.0f} ms {spread:16} {shown}\n")
    if case["zip_error"]:
        write(f"  zip         cannot: {case['zip_error']}\n")
    write(
        f"  ours/local {medians['ours'] / medians['local']:.2f}, plain/ours "
        f"{medians['plain'] / medians['ours']:.2f}; {case['recorded_bytes'] / 1e6:.0f} MB read "
        f"ahead by a recording of {case['recording_bytes'] / 1e3:.0f} kB\n"
    )


if __name__ == "__main__":
    main()
