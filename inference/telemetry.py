"""Structured logs and metrics, by Powertools: JSON lines, and CloudWatch's embedded metric format.

Both go to stdout, which Lambda collects. Metrics have two dimensions, service and model; each
further dimension would multiply CloudWatch's bill. `POWERTOOLS_LOG_LEVEL` and
`POWERTOOLS_METRICS_DISABLED` work as Powertools documents them.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit
from aws_lambda_powertools.metrics.functions import is_metrics_disabled

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "Coldpress"
SERVICE: Final = "coldpress"

_MOST: Final = 2.0**360
"""The largest metric value that CloudWatch accepts."""

logger: Final = Logger(service=SERVICE)

_threads: Final = threading.local()
_handler: Final = logger.registered_handler


def count_call(model: str, status: int, duration_ms: float) -> None:
    """Report one call: its duration, and if it failed. About 20 microseconds."""
    _report(
        model,
        ("CallDuration", MetricUnit.Milliseconds, duration_ms),
        ("CallErrors", MetricUnit.Count, int(status >= 400)),
    )


def count_load(model: str, duration_ms: float, *, failed: bool) -> None:
    """Report one load of a version."""
    _report(
        model,
        ("LoadDuration", MetricUnit.Milliseconds, duration_ms),
        ("LoadFailures", MetricUnit.Count, int(failed)),
    )


def report_fallback(model: str, version: int, why: str) -> None:
    """Report that a version was not loaded as the variant chosen for this runtime."""
    _report(model, ("FallbackLoads", MetricUnit.Count, 1))
    logger.warning(
        "a version is not prepared for this environment",
        model=model,
        version=version,
        reason=why,
    )


def report_plain_imports(model: str, version: int, why: str) -> None:
    """Report that some or all imports of a package set did not use its index."""
    _report(model, ("PlainImports", MetricUnit.Count, 1))
    logger.warning(
        "a package set is imported without its index",
        model=model,
        version=version,
        reason=why,
    )


def report_recycling(model: str, why: str) -> None:
    """Report that this environment restarts, for the sake of a model."""
    _report(model, ("EnvironmentsRecycled", MetricUnit.Count, 1))
    logger.info("the environment restarts", model=model, reason=why)


def count_swap(model: str) -> None:
    """Report that another version answers a label's calls from now on."""
    _report(model, ("Swaps", MetricUnit.Count, 1))


def count_replacement(model: str, duration_ms: float, *, failed: bool) -> None:
    """Report that a version's replacement has taken over, or failed to."""
    _report(
        model,
        ("ReplacementDuration", MetricUnit.Milliseconds, duration_ms),
        ("ReplacementFailures", MetricUnit.Count, int(failed)),
    )


def count_evictions(model: str, count: int) -> None:
    """Report the number of versions that were evicted to load this model."""
    _report(model, ("Evictions", MetricUnit.Count, count))


def count_shadow(
    model: str, duration_ms: float, *, max_difference: float, flips: int, rows: int
) -> None:
    """Report a run of the shadow version, and how far its answer is off (serving/shadow.py)."""
    _report(
        model,
        ("ShadowErrors", MetricUnit.Count, 0),
        ("ShadowDuration", MetricUnit.Milliseconds, duration_ms),
        # EMF takes JSON, which has no infinity.
        ("ShadowMaxDifference", MetricUnit.NoUnit, min(max_difference, _MOST)),
        ("ShadowFlips", MetricUnit.Count, flips),
        ("ShadowRows", MetricUnit.Count, rows),
    )


def count_shadow_error(model: str) -> None:
    """Report that the shadow version could not be compared."""
    _report(model, ("ShadowErrors", MetricUnit.Count, 1))


def report_load(
    model: str,
    version: int,
    started: float,
    *,
    phases_ms: Mapping[str, float] | None = None,
    failed: str | None = None,
) -> float:
    """Report one load in one line, count it, and return its duration in milliseconds.

    `started` is from time.perf_counter, `phases_ms` the duration of each step, `failed` the reason
    of a failure.
    """
    duration_ms = (time.perf_counter() - started) * 1e3
    count_load(model, duration_ms, failed=failed is not None)
    if phases_ms and "warm_up" in phases_ms:
        _report(model, ("WarmUpDuration", MetricUnit.Milliseconds, phases_ms["warm_up"]))
    if failed is not None:
        logger.error("a version failed to load", model=model, version=version, reason=failed)
        return duration_ms
    phases = {name: round(took, 1) for name, took in (phases_ms or {}).items()}
    logger.info(
        "a version is warm",
        model=model,
        version=version,
        load_ms=round(duration_ms, 1),
        phases_ms=phases,
    )
    return duration_ms


def count_batch(model: str, answered: int, failed: int, duration_ms: float) -> None:
    """Report one object of a batch: its records, and its duration."""
    _report(
        model,
        ("BatchDuration", MetricUnit.Milliseconds, duration_ms),
        ("BatchRecords", MetricUnit.Count, answered + failed),
        ("BatchRecordErrors", MetricUnit.Count, failed),
    )


def _report(model: str, *values: tuple[str, MetricUnit, float]) -> None:
    if is_metrics_disabled():  # Powertools would collect metrics that it never prints
        return
    # Powertools' Metrics shares its values between instances. EphemeralMetrics does not, and each
    # thread has its own instance, so that concurrent calls do not report each other's values.
    metrics: EphemeralMetrics | None = getattr(_threads, "metrics", None)
    if metrics is None:
        metrics = _threads.metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    metrics.add_dimension("model", model)
    for name, unit, value in values:
        metrics.add_metric(name, unit, value)
    # Powertools prints a line by two writes, and another thread's line could come between them.
    # The logger writes to the same stream, so its handler's lock is taken.
    line = json.dumps(metrics.serialize_metric_set(), separators=(",", ":"))
    metrics.clear_metrics()
    _handler.acquire()
    try:
        sys.stdout.write(line + "\n")
    finally:
        _handler.release()
