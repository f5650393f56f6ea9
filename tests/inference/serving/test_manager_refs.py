from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from inference.process.daemon_thread import in_thread
from inference.process.deadline_calls import DeadlineCalls
from inference.serving.manager import Manager
from model_store.layout import StoreLayout
from tests.support.stores import ADDER, point_latest
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from tests.inference.conftest import Clock
    from tests.inference.watched_loader import WatchedLoader


class Opens:
    """The paths that are opened in this process, while a test wants to know."""

    paths: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and self.paths is not None:
            self.paths.append(str(arguments[0]))


@pytest.fixture(scope="module")
def opens() -> Opens:
    # An audit hook cannot be taken back.
    opens = Opens()
    sys.addaudithook(opens)
    return opens


@pytest.fixture
def opened(opens: Opens) -> Iterator[list[str]]:
    opens.paths = []
    yield opens.paths
    opens.paths = None


def latest(manager: Manager) -> int:
    return manager.resolve(ADDER).loaded.number


def of_refs(opened: list[str]) -> list[str]:
    """Of the names that were opened, each from the folder before it, those of refs."""
    return [path for path in opened if path.startswith("refs")]


def test_refs_are_read_once_in_their_time_to_live(
    store: Path, loader: WatchedLoader, clock: Clock, opened: list[str]
) -> None:
    manager = Manager(StoreLayout(store), ref_ttl_s=2.0, load=loader)
    assert latest(manager) == 3
    opened.clear()
    for _ in range(30):
        latest(manager)
        manager.describe(ADDER)
        clock.advance(0.05)
    assert [path for path in opened if path.startswith(str(store))] == []
    clock.advance(1.0)
    for _ in range(5):
        latest(manager)
    assert of_refs(opened) == ["refs.json"]  # and not the folder of the generations


def test_a_new_version_is_seen_after_the_time_to_live_and_not_before(
    store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    manager = Manager(StoreLayout(store), ref_ttl_s=60.0, load=loader)
    assert latest(manager) == 3
    point_latest(store, 1)
    clock.advance(59)
    assert latest(manager) == 3
    assert loader.loads == [3]
    clock.advance(2)
    wait_until(lambda: latest(manager) == 1)


def test_a_cold_reader_reads_upward_from_refs_that_lag_behind(
    manager: Manager, store: Path
) -> None:
    stale = (store / "models/adder/refs.json").read_bytes()
    point_latest(store, 1)
    (store / "models/adder/refs.json").unlink()
    (store / "models/adder/refs.json").write_bytes(stale)
    assert latest(manager) == 1


def test_a_reader_never_goes_back(manager: Manager, store: Path, loader: WatchedLoader) -> None:
    stale = (store / "models/adder/refs.json").read_bytes()
    point_latest(store, 1)
    assert latest(manager) == 1
    (store / "models/adder/refs.json").unlink()
    (store / "models/adder/refs.json").write_bytes(stale)
    assert [latest(manager) for _ in range(10)] == [1] * 10
    assert manager.seen()[ADDER].refs.generation == 4
    assert loader.loads == [1]


def test_a_caller_who_was_slow_to_go_on_does_not_take_back_what_others_saw(
    manager: Manager, store: Path
) -> None:
    assert latest(manager) == 3
    others: list[int] = []

    def overtake(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is DeadlineCalls.run.__code__ and not others:
            point_latest(store, 1)
            others.append(in_thread(lambda: latest(manager), "overtakes").result(DEADLINE_S))

    sys.setprofile(overtake)
    try:
        latest(manager)
    finally:
        sys.setprofile(None)
    assert others == [3]  # which answers while 1 loads beside
    assert manager.seen()[ADDER].refs.generation == 4
