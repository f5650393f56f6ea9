"""Rule 6: what maps files does not run when those may be about to be deleted (mapped_files.py)."""

from __future__ import annotations

import errno
import shutil
import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
import pytest

from inference.errors import NotReadyError, RetiredError
from inference.http.application import Application
from inference.serving import refs_watch
from inference.serving.mapped_files import LIMITS
from inference.serving.refs_watch import UPWARD_EVERY_S
from inference.settings import Settings
from model_store.documents import now, timestamp
from model_store.refs import GRACE_S, State
from model_sync.refs.changes import retire
from tests.inference.background import wait_until_idle
from tests.inference.serving.stale_files import FailingOpens
from tests.support.calls import add
from tests.support.damage import flip_a_byte
from tests.support.kill_children import forked_trials
from tests.support.models import write_external_adder
from tests.support.packaged_models import MODEL as GREETER
from tests.support.packaged_models import write_greeter
from tests.support.stores import (
    ADDER,
    commit,
    point_latest,
    publish_adder,
    publish_folder,
    refs_of,
    set_state,
    version_folder,
)
from tests.support.waiting import wait_until
from tests.support.wheels import offer_wheels

if TYPE_CHECKING:
    from pathlib import Path

    from inference.serving.manager import Manager
    from tests.inference.conftest import Clock
    from tests.inference.watched_loader import WatchedLoader

pytestmark = pytest.mark.store_of("mapped_store")

DAY: Final = float(GRACE_S)
OLDEST: Final = LIMITS.oldest_check_s
PLAIN: Final = "plain"


@pytest.fixture(scope="module")
def mapped_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store: `adder` has three versions over mapped files, `plain` one in anonymous memory."""
    store = tmp_path_factory.mktemp("published") / "store"
    with forked_trials():
        for constant in (1.0, 2.0, 3.0):
            folder = store.parent / "sources" / ADDER
            shutil.rmtree(folder, ignore_errors=True)
            write_external_adder(folder, np.full(2, constant), "weights.bin")
            publish_folder(store, folder)
        publish_adder(store, 1.0, name=PLAIN)
        publish_adder(store, 2.0, name=PLAIN)
        publish_greeters(store)
    commit(store, PLAIN, lambda refs: refs._replace(labels={"latest": 1}))
    commit(store, GREETER, lambda refs: refs._replace(labels={"latest": 1}))
    return store


def publish_greeters(store: Path) -> None:
    """Publish two versions of `greeter`, each with a package set of its own."""
    wheels = store.parent / "wheels"
    wheels.mkdir()
    with pytest.MonkeyPatch.context() as patched:  # the wheels are all that pip can find
        offer_wheels(patched, wheels)
        for number, name in enumerate(("first_of_bounds", "second_of_bounds")):
            folder = store.parent / "sources" / GREETER
            shutil.rmtree(folder, ignore_errors=True)
            write_greeter(folder, wheels, name, constant=float(number))
            publish_folder(store, folder)


def latest(manager: Manager, name: str = ADDER) -> int:
    return manager.resolve(name).loaded.number


def take_away(store: Path) -> Path:
    return store.rename(store.with_name("unmounted"))


def forbids(manager: Manager, name: str = ADDER) -> bool:
    try:
        latest(manager, name)
    except NotReadyError as error:
        assert "refs were not read for too long" in str(error)  # noqa: PT017 - or it is no refusal
        return True
    return False


def test_what_maps_files_runs_while_refs_were_read_lately_enough(
    manager: Manager, store: Path, clock: Clock
) -> None:
    assert manager.resolve(ADDER).loaded.maps_files
    take_away(store)
    clock.advance(OLDEST - 60)
    assert latest(manager) == 3
    clock.advance(60)
    with pytest.raises(NotReadyError) as caught:
        latest(manager)
    assert str(caught.value) == (
        "version 3 of 'adder' may not run now: its refs were not read for too long, so its files "
        "may be about to be deleted"
    )


def test_a_call_to_what_may_not_run_is_503_and_says_why(store: Path, clock: Clock) -> None:
    application = Application(Settings(store, ref_ttl_s=0.0))
    assert add(application, [1.0, 2.0]).status == 200
    away = take_away(store)
    clock.advance(OLDEST)
    answer = add(application, [1.0, 2.0])
    assert answer.status == 503
    assert "may not run now" in answer.error
    away.rename(store)
    answer = add(application, [1.0, 2.0])
    assert (answer.status, answer.values) == (200, [4.0, 5.0])


def test_what_may_not_run_is_not_loaded_either(
    manager: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    manager.describe(ADDER)
    take_away(store)
    clock.advance(OLDEST)
    assert forbids(manager)
    assert loader.loads == []


def test_anonymous_memory_goes_on_for_days(manager: Manager, store: Path, clock: Clock) -> None:
    assert not manager.resolve(PLAIN).loaded.maps_files
    take_away(store)
    for _ in range(10):
        clock.advance(DAY)
        assert latest(manager, PLAIN) == 1


def test_once_refs_are_read_again_the_same_session_runs_on(
    manager: Manager, store: Path, clock: Clock, loader: WatchedLoader
) -> None:
    assert latest(manager) == 3
    away = take_away(store)
    clock.advance(2 * DAY)
    assert forbids(manager)
    away.rename(store)
    assert latest(manager) == 3
    assert loader.loads == [3]


def retire_in(store: Path, name: str, number: int, sweep_after_s: float) -> None:
    """Take a version from service; it may be swept so many seconds from now."""
    after = timestamp(time.time() + sweep_after_s)
    commit(store, name, lambda refs: retire(refs, number, now=now(), sweep_after=after))


@pytest.mark.parametrize("name", [ADDER, PLAIN])
def test_a_retired_version_is_a_fallback_until_just_before_it_may_be_swept(
    manager: Manager, store: Path, clock: Clock, name: str
) -> None:
    commit(store, name, lambda refs: refs._replace(labels={"latest": 1}))
    assert latest(manager, name) == 1
    flip_a_byte(version_folder(store, 2, name) / "source/model.onnx")
    commit(store, name, lambda refs: refs._replace(labels={"latest": 2}))
    retire_in(store, name, 1, DAY)
    assert latest(manager, name) == 1
    wait_until(lambda: latest(manager, name) == 1 and manager.state().models[name].quarantined)
    clock.advance(DAY - LIMITS.margin_s - LIMITS.longest_invocation_s - 60)
    assert latest(manager, name) == 1
    clock.advance(120)  # refs are read as usual: this test is about the version's own time
    if name == PLAIN:
        assert latest(manager, name) == 1
        return
    with pytest.raises(NotReadyError, match="version 2 of 'adder' cannot be loaded"):
        latest(manager, name)
    # A call that will have ended by then may still have it.
    assert manager.resolve(name, remaining_s=30.0).loaded.number == 1


def test_a_retired_version_is_not_loaded_again_as_a_fallback(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    point_latest(store, 1)
    assert latest(manager) == 1
    with manager._models.lock:
        manager._models.by_name[ADDER].remove(1)  # as for want of room
    flip_a_byte(version_folder(store, 2) / "source/model.onnx")
    point_latest(store, 2)
    retire_in(store, ADDER, 1, DAY)
    for _ in range(3):
        with pytest.raises(NotReadyError, match="version 2 of 'adder' cannot be loaded"):
            latest(manager)
    assert loader.loads == [1, 2]


def test_a_deleted_version_is_no_fallback(manager: Manager, store: Path) -> None:
    point_latest(store, 1)
    assert latest(manager) == 1
    flip_a_byte(version_folder(store, 2) / "source/model.onnx")
    point_latest(store, 2)
    assert latest(manager) == 1
    wait_until(lambda: latest(manager) == 1 and manager.state().models[ADDER].quarantined)

    set_state(store, 1, State.DELETED)
    with pytest.raises(NotReadyError, match="version 2"):
        latest(manager)
    with pytest.raises(RetiredError):
        manager.resolve(ADDER, 1)


def lag_behind(store: Path, name: str = ADDER) -> None:
    """Let refs.json be one generation older than the newest, as before a writer settles."""
    refs_json = store / "models" / name / "refs.json"
    stale = refs_json.read_bytes()
    point_latest(store, 1, name)
    refs_json.unlink()
    refs_json.write_bytes(stale)


def test_refs_that_lag_behind_are_read_upward_within_the_hour(
    manager: Manager, store: Path, clock: Clock
) -> None:
    assert latest(manager) == 3
    lag_behind(store)
    clock.advance(UPWARD_EVERY_S - 60)
    assert latest(manager) == 3
    clock.advance(60)
    latest(manager)
    assert manager.seen()[ADDER].refs.generation == 4
    wait_until(lambda: latest(manager) == 1)


def test_refs_json_alone_does_not_keep_mapped_files_running(
    manager: Manager, store: Path, clock: Clock
) -> None:
    assert latest(manager) == 3
    # refs.json can be read all day, and what is newer than it cannot.
    (store / f"models/adder/refs/{refs_of(store).generation + 1}.json").mkdir()
    elapsed_s = 0.0
    while elapsed_s + 1800 < OLDEST:
        clock.advance(1800)
        elapsed_s += 1800
        assert latest(manager) == 3, elapsed_s
    clock.advance(1800)
    assert forbids(manager)


def test_reading_upward_goes_on_for_as_long_as_calls_come(
    manager: Manager, store: Path, clock: Clock
) -> None:
    assert latest(manager) == 3
    for _ in range(100):  # 50 hours
        clock.advance(1800)
        assert latest(manager) == 3
        assert manager._watch.views()[ADDER].upward_at.elapsed_s(clock.now()) <= UPWARD_EVERY_S


@pytest.fixture
def _own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)


@pytest.fixture
def with_set(manager: Manager, _own_path: None) -> Manager:
    """A manager of a process that imported from the package set of `greeter`."""
    assert latest(manager, GREETER) == 1
    wait_until_idle(manager)
    return manager


def test_what_imported_from_a_set_leans_on_the_refs_that_pin_it(
    with_set: Manager, store: Path, clock: Clock
) -> None:
    assert latest(with_set, PLAIN) == 1
    # Calls for another model look at the models whose sets are in use, too.
    for _ in range(50):
        clock.advance(3600)
        assert latest(with_set, PLAIN) == 1
    take_away(store)
    clock.advance(OLDEST - 60)
    assert latest(with_set, PLAIN) == 1
    clock.advance(60)
    for name in (PLAIN, GREETER):
        with pytest.raises(NotReadyError, match="may not run now"):
            latest(with_set, name)


def test_what_a_version_imported_that_failed_to_load_is_leant_on_too(
    with_set: Manager, store: Path
) -> None:
    flip_a_byte(version_folder(store, 2, GREETER) / "golden/one/request.json")
    commit(store, GREETER, lambda refs: refs._replace(labels={"latest": 2}))
    assert latest(with_set, GREETER) == 1
    wait_until(
        lambda: latest(with_set, GREETER) == 1 and with_set.state().models[GREETER].quarantined
    )
    assert {number for each in with_set._pinned_sets._pinned.values() for _, _, number in each} == {
        1,
        2,
    }


def test_a_process_whose_set_may_be_swept_says_that_it_must_start_anew(
    with_set: Manager, store: Path, clock: Clock
) -> None:
    commit(store, GREETER, lambda refs: refs._replace(labels={"latest": 2}))
    wait_until(lambda: latest(with_set, GREETER) == 2)
    assert latest(with_set, PLAIN) == 1
    retire_in(store, GREETER, 1, DAY)
    assert latest(with_set, PLAIN) == 1
    clock.advance(DAY)
    with pytest.raises(NotReadyError, match=r"package set .* it must be restarted"):
        latest(with_set, PLAIN)


def test_a_process_whose_set_was_of_a_model_that_is_gone_says_so_and_looks_for_it_no_more(
    with_set: Manager, store: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert latest(with_set, PLAIN) == 1
    shutil.rmtree(store / "models" / GREETER)
    clock.advance(UPWARD_EVERY_S)
    opens = FailingOpens(monkeypatch)
    opens.fail(GREETER, errno.ENOENT, times=None)
    for _ in range(5):
        with pytest.raises(NotReadyError, match=r"package set .* it must be restarted"):
            latest(with_set, PLAIN)
    assert opens.hits <= 2  # refs.json, and the first generation: once


def test_upward_reads_are_far_more_frequent_than_rule_6_needs() -> None:
    assert refs_watch.UPWARD_EVERY_S * 10 < OLDEST
