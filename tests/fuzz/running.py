"""Runs cases against a handler, holds each answer against what every answer keeps to.

Run as a module it tries the cases of a seed in a process of its own, so that what it measures is
the handler's: `python -m tests.fuzz.running --seed 1 --first 0 --count 1000 [--store DIR]`.
It prints what failed, each with its seed and number, and what it measured, as JSON on stderr.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from inference.http.application import Application
from inference.settings import Settings
from tests.fuzz.keeping import fault
from tests.fuzz.mutations import Fuzz
from tests.support.stores import STEP, publish_adder
from tests.support.surface import make_surface

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.calls import Handler

_MOST_SHOWN: Final = 20


class Failure(NamedTuple):
    """A case whose answer is wrong, and how to try it alone."""

    seed: int
    number: int
    reason: str

    def __str__(self) -> str:
        alone = f"python -m tests.fuzz.running --seed {self.seed} --first {self.number} --count 1"
        return f"case {self.number} of seed {self.seed}: {self.reason}\n  alone: {alone}"


class Measured(NamedTuple):
    """Resources of the process after a third of the cases, and at the end."""

    rss_mb: tuple[float, float]
    threads: tuple[int, int]
    files: tuple[int, int]


def fuzzed_application(store: Path) -> Application:
    """Setup of a run: `echo` is its default model."""
    return Application(Settings(store, ref_ttl_s=3600.0, default_model="echo"))


def failures(handler: Handler, seed: int, numbers: Iterable[int]) -> list[Failure]:
    """Try cases; what is wrong with their answers."""
    fuzz = Fuzz(seed)
    found = []
    for number in numbers:
        reason = fault(handler, fuzz.event(number))
        if reason:
            found.append(Failure(seed, number, reason))
    return found


def _state() -> tuple[float, int, int]:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return rss_mb, threading.active_count(), len([*Path("/proc/self/fd").iterdir()])


def measure(handler: Handler, seed: int, first: int, count: int) -> tuple[list[Failure], Measured]:
    """Try so many cases, measuring the process after a third of them and at the end."""
    third = first + count // 3
    found = failures(handler, seed, range(first, third))
    before = _state()
    found += failures(handler, seed, range(third, first + count))
    after = _state()
    return found, Measured(*zip(before, after, strict=True))  # type: ignore[arg-type]


def make_store(folder: Path) -> Path:
    """Publish a model for each thing that is called."""
    for number in (1, 2, 3):
        publish_adder(folder / "published" / "store", number * STEP)
    make_surface(folder / "published" / "store", folder / "surface" / "store")
    return folder / "surface" / "store"


def main() -> int:
    """Try cases and print what came of it."""
    parser = argparse.ArgumentParser()
    for name in ("seed", "first", "count"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        application = fuzzed_application(options.store or make_store(Path(folder)))
        found, measured = measure(application, options.seed, options.first, options.count)
    for failure in found[:_MOST_SHOWN]:
        print(failure, file=sys.stderr)  # noqa: T201
    print(json.dumps({"failed": len(found)} | measured._asdict()), file=sys.stderr)  # noqa: T201
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
