"""PRELOAD_MODELS: what begins to load before the first call, for so long and no longer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from inference.errors import NotReadyError
from inference.http.application import Application
from inference.process.daemon_thread import in_thread
from inference.serving import refs_watch as watch_module
from inference.settings import Settings
from tests.support.calls import add
from tests.support.damage import flip_a_byte
from tests.support.stores import ADDER, commit, publish_adder, version_folder
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from inference.serving.manager import Manager
    from tests.inference.watched_loader import WatchedLoader

OTHER = "other"


def test_what_was_preloaded_is_warm(manager: Manager, loader: WatchedLoader) -> None:
    manager.preload([ADDER], DEADLINE_S)
    assert list(manager.state().models[ADDER].warm) == [3]
    assert manager.resolve(ADDER).loaded.number == 3
    assert loader.loads == [3]


def test_all_models_load_at_the_same_time(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    publish_adder(store, 1.0, name=OTHER)
    loader.gate.clear()
    preload = in_thread(lambda: manager.preload([ADDER, OTHER], DEADLINE_S), "preloads")
    wait_until(lambda: sorted(loader.loads) == [1, 3])
    loader.gate.set()
    preload.result(DEADLINE_S)
    assert sorted(manager.state().models) == [ADDER, OTHER]


def test_what_does_not_fit_in_the_time_goes_on_and_a_call_joins_it(
    manager: Manager, loader: WatchedLoader
) -> None:
    loader.gate.clear()
    manager.preload([ADDER], 0.05)
    wait_until(lambda: loader.loads == [3])
    joins = in_thread(lambda: manager.resolve(ADDER).loaded.number, "joins")
    loader.gate.set()
    assert joins.result(DEADLINE_S) == 3
    assert loader.loads == [3]


def test_a_store_that_hangs_takes_no_more_than_the_time(
    manager: Manager, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Lambda starts over an INIT that takes longer than 10 s, at the caller's expense.
    monkeypatch.setattr(watch_module, "COLD_CHECK_DEADLINE_S", 10 * DEADLINE_S)
    whole = (store / "STORE.json").read_bytes()
    (store / "STORE.json").unlink()
    os.mkfifo(store / "STORE.json")
    pipe = os.open(store / "STORE.json", os.O_RDWR)
    try:
        preload = in_thread(lambda: manager.preload([ADDER, OTHER], 0.05), "preloads")
        preload.result(DEADLINE_S)
        assert manager.state().models == {}
    finally:
        os.write(pipe, whole)
        os.close(pipe)


def test_what_cannot_be_preloaded_is_an_error_of_the_calls_that_need_it_alone(
    manager: Manager, store: Path
) -> None:
    publish_adder(store, 1.0, name=OTHER)
    flip_a_byte(version_folder(store, 1, OTHER) / "source/model.onnx")
    manager.preload(["nosuch", OTHER, "Not A Name", ADDER], DEADLINE_S)
    assert manager.resolve(ADDER).loaded.number == 3
    with pytest.raises(NotReadyError, match="version 1 of 'other' cannot be loaded"):
        manager.resolve(OTHER)


def test_a_model_without_latest_is_left_out(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={}))
    manager.preload([ADDER], DEADLINE_S)
    assert loader.loads == []


def test_without_a_store_preloading_raises_nothing(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    away = store.rename(store.with_name("unmounted"))
    manager.preload([ADDER], DEADLINE_S)
    assert loader.loads == []
    away.rename(store)
    assert manager.resolve(ADDER).loaded.number == 3


def test_preloading_twice_loads_once(manager: Manager, loader: WatchedLoader) -> None:
    for _ in range(2):
        manager.preload([ADDER, ADDER], DEADLINE_S)
    assert loader.loads == [3]


def test_no_models_wait_for_nothing(manager: Manager) -> None:
    manager.preload([], DEADLINE_S)
    assert manager.state().models == {}


def test_the_settings_name_what_an_environment_preloads(store: Path) -> None:
    application = Application(Settings(store, preload_models=(ADDER,)))
    assert application.probe()["environment"]["models"] == {}
    application.preload(DEADLINE_S)
    assert application.probe()["environment"]["models"][ADDER]["warm"].keys() == {3}
    assert add(application, [1.0, 2.0]).status == 200
