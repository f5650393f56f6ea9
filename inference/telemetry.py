"""Structured logs and metrics, by Powertools: JSON lines, and CloudWatch's embedded metric format.

Both go to stdout, where Lambda picks them up. Metrics have two dimensions, service and model:
each further one multiplies what CloudWatch bills. `POWERTOOLS_LOG_LEVEL` and
`POWERTOOLS_METRICS_DISABLED` work as Powertools documents them.
"""

from __future__ import annotations

import threading
from typing import Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE: Final = "Coldpress"
SERVICE: Final = "coldpress"

logger: Final = Logger(service=SERVICE)

_threads: Final = threading.local()


def count_call(model: str, status: int, duration_ms: float) -> None:
    """Report one call: how long it took, and whether it failed. About 20 microseconds."""
    metrics = _metrics(model)
    metrics.add_metric("CallDuration", MetricUnit.Milliseconds, duration_ms)
    metrics.add_metric("CallErrors", MetricUnit.Count, int(status >= 400))
    metrics.flush_metrics()


def count_load(model: str, duration_ms: float, *, failed: bool) -> None:
    """Report one load of a version."""
    metrics = _metrics(model)
    metrics.add_metric("LoadDuration", MetricUnit.Milliseconds, duration_ms)
    metrics.add_metric("LoadFailures", MetricUnit.Count, int(failed))
    metrics.flush_metrics()


def _metrics(model: str) -> EphemeralMetrics:
    # Powertools' Metrics keeps its values in the class; this one keeps them to itself, and each
    # thread has its own, so that calls in several threads do not report each other's.
    metrics: EphemeralMetrics | None = getattr(_threads, "metrics", None)
    if metrics is None:
        metrics = _threads.metrics = EphemeralMetrics(namespace=NAMESPACE, service=SERVICE)
    metrics.add_dimension("model", model)
    return metrics
