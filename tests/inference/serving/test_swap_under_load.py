"""Versions change under calls, and no call notices but by its answer."""

from __future__ import annotations

import threading
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import pytest

from inference.http.application import Application
from inference.process.daemon_thread import in_thread
from inference.settings import Settings
from tests.support.calls import add
from tests.support.stores import STEP, point_latest, publish_adder
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

THREADS = 8
CALLS_A_THREAD = 50


class Seen(NamedTuple):
    """One answer: to whom, which input it was for, and what came."""

    x: float
    status: int
    version: int
    label: str | None
    named: str
    values: list[float]


class Callers:
    """Threads that call until they are stopped, and record every answer in order."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._enough = threading.Event()
        self.answers: list[list[Seen]] = [[] for _ in range(THREADS)]
        self._threads = [in_thread(partial(self._call, n), f"caller-{n}") for n in range(THREADS)]

    def all_saw(self, version: int) -> bool:
        return all(seen and seen[-1].version == version for seen in self.answers)

    def stop(self) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.result(DEADLINE_S)

    def _call(self, number: int) -> None:
        mine = self.answers[number]
        while not self._enough.is_set() or len(mine) < CALLS_A_THREAD:
            x = float(number * 10_000 + len(mine))
            answer = add(self._application, [x, -x])
            document = answer.json
            mine.append(
                Seen(
                    x,
                    answer.status,
                    answer.version,
                    answer.headers.get("Coldpress-Label"),
                    document["model_version"],
                    document["outputs"][0]["data"],
                )
            )


def check(answers: list[list[Seen]]) -> None:
    """Every call succeeded, with the values of the version that its answer names."""
    assert sum(map(len, answers)) >= THREADS * CALLS_A_THREAD
    for seen in answers:
        for each in seen:
            assert (each.status, each.label, each.named) == (200, "latest", str(each.version))
            added = each.version * STEP
            assert each.values == [each.x + added, -each.x + added]


@pytest.mark.parametrize("swaps", [3, pytest.param(10, marks=pytest.mark.slow)])
def test_publications_under_calls_from_eight_threads(tmp_path: Path, swaps: int) -> None:
    store = tmp_path / "store"
    publish_adder(store, STEP)
    application = Application(Settings(store, ref_ttl_s=0.0))
    callers = Callers(application)
    try:
        wait_until(lambda: callers.all_saw(1))
        for number in range(2, swaps + 2):
            publish_adder(store, number * STEP)
            wait_until(partial(callers.all_saw, number))
    finally:
        callers.stop()
    check(callers.answers)
    for seen in callers.answers:
        versions = [each.version for each in seen]
        assert versions == sorted(versions), "a thread went back"
        assert sorted(set(versions)) == list(range(1, swaps + 2))
    assert add(application, [0.0, 0.0]).version == swaps + 1


def test_rollbacks_and_promotions_in_quick_succession(store: Path) -> None:
    application = Application(Settings(store, ref_ttl_s=0.0))
    callers = Callers(application)
    try:
        wait_until(lambda: callers.all_saw(3))
        for turn in range(15):
            point_latest(store, 1 + turn % 3)  # no waiting: loads and refs overtake each other
        point_latest(store, 2)
        wait_until(lambda: callers.all_saw(2))
    finally:
        callers.stop()
    check(callers.answers)
    assert add(application, [0.0, 0.0]).version == 2
