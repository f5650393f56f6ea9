"""Counts of one environment, by model and version: the answer of `/stats`.

They are for people and for Triton's clients; CloudWatch's metrics (telemetry.py) are for alarms.
They begin at 0 in each environment and end with it. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import Any, Final

BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""Upper ends of the latency histogram's buckets, in milliseconds; one more bucket is unbounded."""


class VersionStats:
    """The counts of one version."""

    def __init__(self) -> None:
        self.answered = 0
        self.failed = 0
        self.answered_ns = 0
        self.failed_ns = 0
        self.last_ms = 0
        self.buckets = [0] * (len(BOUNDS_MS) + 1)
        self.loads = 0
        self.load_failures = 0
        self.load_ms = 0.0
        self.evictions = 0
        self.swaps = 0
        self.replacements = 0
        self.replacement_failures = 0

    def to_json(self, model: str, version: int) -> dict[str, Any]:
        """Return the counts as in Triton's statistics extension, and those that it lacks.

        Queueing and copying are not timed separately: an environment has one call at a time.
        """
        answered = {"count": self.answered, "ns": self.answered_ns}
        nothing = {"count": 0, "ns": 0}
        return {
            "name": model,
            "version": str(version),
            "last_inference": self.last_ms,
            "inference_count": self.answered,
            "execution_count": self.answered,
            "inference_stats": {
                "success": answered,
                "fail": {"count": self.failed, "ns": self.failed_ns},
                "queue": nothing,
                "compute_input": nothing,
                "compute_infer": answered,
                "compute_output": nothing,
            },
            "batch_stats": [],
            "latency_ms": {
                **{f"le_{bound}": sum(self.buckets[: i + 1]) for i, bound in enumerate(BOUNDS_MS)},
                "count": sum(self.buckets),
            },
            "loads": self.loads,
            "load_failures": self.load_failures,
            "last_load_ms": round(self.load_ms, 1),
            "evictions": self.evictions,
            "swaps": self.swaps,
            "replacements": self.replacements,
            "replacement_failures": self.replacement_failures,
        }


class Stats:
    """All counts of one environment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: dict[tuple[str, int], VersionStats] = {}

    def call(self, model: str, version: int, duration_ns: int, *, failed: bool) -> None:
        """Count a call to a version."""
        bucket = bisect_left(BOUNDS_MS, duration_ns / 1e6)
        with self._lock:
            counts = self._of(model, version)
            counts.buckets[bucket] += 1
            counts.last_ms = int(time.time() * 1e3)
            if failed:
                counts.failed += 1
                counts.failed_ns += duration_ns
            else:
                counts.answered += 1
                counts.answered_ns += duration_ns

    def load(self, model: str, version: int, duration_ms: float, *, failed: bool) -> None:
        """Count a load."""
        with self._lock:
            counts = self._of(model, version)
            counts.loads += not failed
            counts.load_failures += failed
            counts.load_ms = duration_ms

    def evicted(self, model: str, version: int) -> None:
        """Count an eviction of a version."""
        with self._lock:
            self._of(model, version).evictions += 1

    def swapped(self, model: str, version: int) -> None:
        """Count a swap: a version took over a label from another one."""
        with self._lock:
            self._of(model, version).swaps += 1

    def replaced(self, model: str, version: int, *, failed: bool) -> None:
        """Count a replacement of a version's variant."""
        with self._lock:
            counts = self._of(model, version)
            counts.replacements += not failed
            counts.replacement_failures += failed

    def forget(self, model: str) -> None:
        """Drop the counts of a model that is gone, or replaced by another model of its name."""
        with self._lock:
            for key in [key for key in self._versions if key[0] == model]:
                del self._versions[key]

    def describe(
        self, model: str | None = None, version: int | None = None
    ) -> list[dict[str, Any]]:
        """Return the counts of all versions, of one model's, or of one version, in order."""
        with self._lock:
            return [
                counts.to_json(*key)
                for key, counts in sorted(self._versions.items())
                if model in {None, key[0]} and version in {None, key[1]}
            ]

    def _of(self, model: str, version: int) -> VersionStats:
        counts = self._versions.get((model, version))
        if counts is None:
            counts = self._versions[model, version] = VersionStats()
        return counts
