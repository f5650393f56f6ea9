"""Counts what one environment did, by model and version: what `/stats` answers.

Counting is for people and for Triton's clients; CloudWatch's metrics (telemetry.py) are for alarms.
Numbers are since the environment started, and go with it. Thread-safe.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from typing import Any, Final

BOUNDS_MS: Final = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)
"""The upper ends of the latency histogram's buckets, in milliseconds; one more is beyond them."""


class VersionStats:
    """What was done with one version."""

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
        """In the form of Triton's statistics extension, and with what it has no place for.

        Queueing and copying are not timed apart: an environment has one call at a time.
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
        """Count a call that a version answered, or failed to."""
        bucket = bisect_left(BOUNDS_MS, duration_ns / 1e6)
        with self._lock:
            found = self._of(model, version)
            found.buckets[bucket] += 1
            found.last_ms = int(time.time() * 1e3)
            if failed:
                found.failed += 1
                found.failed_ns += duration_ns
            else:
                found.answered += 1
                found.answered_ns += duration_ns

    def load(self, model: str, version: int, duration_ms: float, *, failed: bool) -> None:
        """Count a load."""
        with self._lock:
            found = self._of(model, version)
            found.loads += not failed
            found.load_failures += failed
            found.load_ms = duration_ms

    def evicted(self, model: str, version: int) -> None:
        """Count that a version was let go to make room."""
        with self._lock:
            self._of(model, version).evictions += 1

    def swapped(self, model: str, version: int) -> None:
        """Count that a version took a label over from another."""
        with self._lock:
            self._of(model, version).swaps += 1

    def replaced(self, model: str, version: int, *, failed: bool) -> None:
        """Count that a version went on in another form, or failed to."""
        with self._lock:
            found = self._of(model, version)
            found.replacements += not failed
            found.replacement_failures += failed

    def forget(self, model: str) -> None:
        """Drop the counts of a model that is gone, or is another one under its name."""
        with self._lock:
            for key in [key for key in self._versions if key[0] == model]:
                del self._versions[key]

    def describe(
        self, model: str | None = None, version: int | None = None
    ) -> list[dict[str, Any]]:
        """The counts of all versions, of one model's, or of one version, in their order."""
        with self._lock:
            return [
                found.to_json(*key)
                for key, found in sorted(self._versions.items())
                if model in {None, key[0]} and version in {None, key[1]}
            ]

    def _of(self, model: str, version: int) -> VersionStats:
        found = self._versions.get((model, version))
        if found is None:
            found = self._versions[model, version] = VersionStats()
        return found
