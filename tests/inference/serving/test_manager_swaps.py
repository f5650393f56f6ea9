from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING

from inference.process.daemon_thread import in_thread
from tests.support.stores import ADDER, STEP, point_latest, publish_adder
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from inference.serving.manager import Manager
    from tests.inference.watched_loader import WatchedLoader


def latest(manager: Manager) -> int:
    return manager.resolve(ADDER).loaded.number


def collected(reference: weakref.ref[Any]) -> bool:
    gc.collect()
    return reference() is None


def test_a_new_version_loads_beside_while_the_old_one_answers(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    point_latest(store, 1)
    assert latest(manager) == 1
    loader.gate.clear()
    point_latest(store, 2)
    assert [latest(manager) for _ in range(50)] == [1] * 50
    wait_until(lambda: loader.loads == [1, 2])
    assert [latest(manager) for _ in range(50)] == [1] * 50
    loader.gate.set()
    wait_until(lambda: latest(manager) == 2)
    assert [latest(manager) for _ in range(50)] == [2] * 50
    assert loader.loads == [1, 2]


def test_a_version_just_published_is_swapped_to(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    assert latest(manager) == 3
    publish_adder(store, 4 * STEP)
    wait_until(lambda: latest(manager) == 4)
    assert loader.loads == [3, 4]


def test_the_old_version_goes_when_the_last_call_that_has_it_ends(
    manager: Manager, store: Path
) -> None:
    under_way = manager.resolve(ADDER)
    session = weakref.ref(under_way.loaded.session)
    point_latest(store, 1)
    wait_until(lambda: latest(manager) == 1)
    assert not collected(session)
    del under_way
    wait_until(lambda: collected(session))


def test_a_rollback_goes_back(manager: Manager, store: Path, loader: WatchedLoader) -> None:
    assert latest(manager) == 3
    point_latest(store, 2)
    wait_until(lambda: latest(manager) == 2)
    point_latest(store, 3)
    wait_until(lambda: latest(manager) == 3)
    assert loader.loads == [3, 2, 3]


def test_a_rollback_while_the_new_version_still_loads_stays_with_the_old_one(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    point_latest(store, 1)
    assert latest(manager) == 1
    loader.gate.clear()
    point_latest(store, 2)
    assert latest(manager) == 1
    wait_until(lambda: loader.loads == [1, 2])
    point_latest(store, 1)
    assert latest(manager) == 1
    loader.gate.set()
    wait_until(lambda: not manager._models.by_name[ADDER].loads)
    assert [latest(manager) for _ in range(10)] == [1] * 10
    assert list(manager._models.by_name[ADDER].warm) == [1]


def test_two_publications_while_one_loads_end_at_the_newest(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    point_latest(store, 1)
    assert latest(manager) == 1
    loader.gate.clear()
    for number in (2, 3):
        point_latest(store, number)
        assert latest(manager) == 1
    wait_until(lambda: loader.loads == [1, 2, 3])
    loader.gate.set()
    wait_until(lambda: latest(manager) == 3)
    wait_until(lambda: not manager._models.by_name[ADDER].loads)
    assert latest(manager) == 3
    assert list(manager._models.by_name[ADDER].warm) == [3]


def test_a_call_by_number_does_not_move_the_label(manager: Manager, store: Path) -> None:
    assert latest(manager) == 3
    for number in (1, 2, 3, 1):
        assert manager.resolve(ADDER, number).loaded.number == number
        assert latest(manager) == 3
    point_latest(store, 1)
    wait_until(lambda: latest(manager) == 1)


def test_a_version_warm_by_its_number_is_swapped_to_without_a_load(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    assert latest(manager) == 3
    manager.resolve(ADDER, 1)
    point_latest(store, 1)
    assert latest(manager) == 1
    assert loader.loads == [3, 1]


def test_a_caller_who_waited_while_refs_moved_on_is_not_made_to_wait_again(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    loader.gate.clear()
    waiting = in_thread(lambda: latest(manager), "waits")
    wait_until(lambda: loader.loads == [3])
    point_latest(store, 1)
    manager.describe(ADDER)  # another call, which sees the newer refs
    loader.gate.set()
    assert waiting.result(DEADLINE_S) == 3
    wait_until(lambda: latest(manager) == 1)
