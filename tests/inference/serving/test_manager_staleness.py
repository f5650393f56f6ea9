"""MAX_STALENESS_S: for how long a version may answer that refs no longer name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest

from inference.process.daemon_thread import in_thread
from inference.serving import manager as manager_module
from inference.serving.manager import Manager
from inference.serving.refs_watch import RefsWatch
from model_store.layout import StoreLayout
from tests.inference.background import wait_until_idle
from tests.support.damage import flip_a_byte
from tests.support.stores import ADDER, commit, point_latest, version_folder
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path
    from types import FrameType

    from tests.inference.conftest import Clock
    from tests.inference.watched_loader import WatchedLoader

STALENESS: Final = 60.0


@pytest.fixture
def one_warm(manager: Manager, store: Path) -> Manager:
    """A manager where version 1 answers, and is the newest."""
    point_latest(store, 1)
    assert latest(manager) == 1
    return manager


def latest(manager: Manager) -> int:
    return manager.resolve(ADDER).loaded.number


def calling(manager: Manager) -> Future[int]:
    return in_thread(lambda: latest(manager), "calls")


def test_within_it_the_old_version_answers_while_the_new_one_loads(
    one_warm: Manager, store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    loader.gate.clear()
    point_latest(store, 2)
    for _ in range(10):
        assert latest(one_warm) == 1
        clock.advance(STALENESS / 10 - 0.5)
    assert latest(one_warm) == 1


def test_past_it_calls_wait_for_the_new_version(
    one_warm: Manager, store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    loader.gate.clear()
    point_latest(store, 2)
    assert latest(one_warm) == 1
    clock.advance(STALENESS + 1)
    waiting = [calling(one_warm) for _ in range(4)]
    wait_until(lambda: loader.loads == [1, 2])
    loader.gate.set()
    # Who had not waited would have had 1.
    assert [each.result(DEADLINE_S) for each in waiting] == [2] * 4
    assert loader.loads == [1, 2]


def test_it_counts_from_when_refs_last_named_the_version(
    one_warm: Manager, store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    for _ in range(10):
        clock.advance(STALENESS)
        assert latest(one_warm) == 1
    loader.gate.clear()
    point_latest(store, 2)
    clock.advance(STALENESS - 1)
    assert latest(one_warm) == 1
    clock.advance(2)
    waits = calling(one_warm)
    loader.gate.set()
    assert waits.result(DEADLINE_S) == 2


def test_an_environment_that_was_frozen_for_long_waits_for_the_new_version(
    one_warm: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    point_latest(store, 2)
    clock.advance(3600)
    assert latest(one_warm) == 2
    assert loader.loads == [1, 2]


def test_an_environment_that_was_frozen_while_it_loaded_waits_for_the_load(
    one_warm: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    loader.gate.clear()
    point_latest(store, 2)
    assert latest(one_warm) == 1
    wait_until(lambda: loader.loads == [1, 2])
    clock.advance(3600)
    waits = calling(one_warm)
    loader.gate.set()
    assert waits.result(DEADLINE_S) == 2
    assert loader.loads == [1, 2]


def test_a_frozen_environment_whose_version_is_the_newest_waits_for_nothing(
    one_warm: Manager, clock: Clock, loader: WatchedLoader
) -> None:
    clock.advance(3600)
    assert latest(one_warm) == 1
    assert loader.loads == [1]


def test_refs_that_cannot_be_read_make_nothing_stale(
    one_warm: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    point_latest(store, 2)
    away = store.rename(store.with_name("unmounted"))
    clock.advance(3600)
    assert latest(one_warm) == 1
    away.rename(store)
    assert latest(one_warm) == 2


def test_where_the_load_fails_the_old_version_goes_on_for_as_long_as_it_must(
    one_warm: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    flip_a_byte(version_folder(store, 2) / "source/model.onnx")
    point_latest(store, 2)
    clock.advance(STALENESS + 1)
    for _ in range(10):
        assert latest(one_warm) == 1
        clock.advance(STALENESS)
    assert loader.loads == [1, 2]


def test_where_the_load_takes_longer_than_a_call_can_wait_the_old_version_answers(
    one_warm: Manager,
    store: Path,
    clock: Clock,
    loader: WatchedLoader,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loader.gate.clear()
    point_latest(store, 2)
    clock.advance(STALENESS + 1)
    with monkeypatch.context() as patched:
        patched.setattr(manager_module, "LOAD_DEADLINE_S", 0.01)
        for _ in range(3):
            assert latest(one_warm) == 1
    loader.gate.set()
    assert latest(one_warm) == 2
    assert loader.loads == [1, 2]


def test_without_any_staleness_each_call_waits_for_what_is_newest(
    store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    manager = Manager(StoreLayout(store), ref_ttl_s=0.0, load=loader, max_staleness_s=0.0)
    for number in (3, 1, 2):
        point_latest(store, number)
        clock.advance(0.01)
        assert latest(manager) == number


def test_each_label_has_its_own(
    one_warm: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 1, "stable": 3}))
    assert one_warm.resolve(ADDER, label="stable").loaded.number == 3
    clock.advance(STALENESS + 1)
    assert latest(one_warm) == 1  # which says nothing of `stable`
    loader.gate.clear()
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 1, "stable": 2}))
    stable = in_thread(lambda: one_warm.resolve(ADDER, label="stable").loaded.number, "calls")
    wait_until(lambda: loader.loads == [1, 3, 2])
    assert latest(one_warm) == 1
    loader.gate.set()
    assert stable.result(DEADLINE_S) == 2


def test_a_call_whose_view_of_refs_is_older_than_anothers_goes_by_the_newer_one(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    assert latest(manager) == 3
    others: list[int] = []

    def overtake(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is RefsWatch.look.__code__ and not others:
            point_latest(store, 1)
            others.append(0)
            wait_until(lambda: calling(manager).result(DEADLINE_S) == 1)

    sys.setprofile(overtake)
    try:
        late = latest(manager)
    finally:
        sys.setprofile(None)
    assert late == 1
    wait_until_idle(manager)
    assert loader.loads == [3, 1]  # and not 3 again, for the view that named it
    assert list(manager.state().models[ADDER].warm) == [1]


def test_how_stale_an_environment_is_can_be_seen(
    one_warm: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    assert one_warm.state().models[ADDER].staleness_s == 0.0
    loader.gate.clear()
    point_latest(store, 2)
    clock.advance(30)
    assert latest(one_warm) == 1
    assert 30 <= one_warm.state().models[ADDER].staleness_s < STALENESS
    loader.gate.set()
    wait_until(lambda: latest(one_warm) == 2)
    assert one_warm.state().models[ADDER].staleness_s == 0.0
