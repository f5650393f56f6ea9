"""Result files of benchmarks: the machine, the versions, raw samples, medians and spread."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

RESULTS: Final = Path(__file__).resolve().parent / "results"
_PACKAGES: Final = ("onnxruntime", "numpy", "aws-lambda-powertools")


def write_results(
    name: str, samples: Mapping[str, Sequence[float]], unit: str, **more: Any
) -> Path:
    """Write `bench/results/<name>.json`: `samples` by the measured case, in `unit`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    found = {
        "name": name,
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": describe_machine(),
        "unit": unit,
        "summary": {what: summarize(values) for what, values in samples.items()},
        "samples": {what: list(values) for what, values in samples.items()},
        **more,
    }
    path.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    return path


def summarize(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the quartiles and the extremes."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"min": min(values), "p25": low, "median": median, "p75": high, "max": max(values)}


def describe_machine() -> dict[str, Any]:
    """Return a description of the machine and of package versions."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        **{package: version(package) for package in _PACKAGES},
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
