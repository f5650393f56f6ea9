from __future__ import annotations

import gc
import sys
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING

import pytest

from inference.errors import NotReadyError, RetiredError, UnknownError
from inference.process.daemon_thread import in_thread
from inference.serving import manager as manager_module
from inference.serving.background_loads import BackgroundLoads
from inference.serving.manager import Manager
from model_store.layout import StoreLayout
from model_store.refs import State
from tests.support.stores import ADDER, commit, point_latest, set_state
from tests.support.threads import at_once
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from inference.serving.version_selector import Resolved
    from tests.inference.watched_loader import WatchedLoader


def test_construction_touches_nothing(tmp_path: Path, loader: WatchedLoader) -> None:
    manager = Manager(StoreLayout(tmp_path / "nowhere"), ref_ttl_s=0.0, load=loader)
    assert manager.seen() == {}
    assert loader.loads == []


def test_a_call_gets_the_version_that_latest_names(manager: Manager, loader: WatchedLoader) -> None:
    resolved = manager.resolve(ADDER)
    assert (resolved.loaded.number, resolved.label) == (3, "latest")
    assert loader.loads == [3]


def test_a_call_by_number_gets_that_version_and_no_label(
    manager: Manager, loader: WatchedLoader
) -> None:
    resolved = manager.resolve(ADDER, 1)
    assert (resolved.loaded.number, resolved.label) == (1, None)
    assert loader.loads == [1]


def test_what_is_warm_is_not_loaded_again(manager: Manager, loader: WatchedLoader) -> None:
    first = manager.resolve(ADDER)
    for _ in range(20):
        assert manager.resolve(ADDER).loaded is first.loaded
        assert manager.resolve(ADDER, 3).loaded is first.loaded
    assert loader.loads == [3]


def test_many_first_calls_at_once_load_once(manager: Manager, loader: WatchedLoader) -> None:
    resolved = at_once(16, lambda _: manager.resolve(ADDER))
    assert loader.loads == [3]
    assert len({id(each.loaded) for each in resolved}) == 1


def test_many_first_calls_join_a_load_that_is_under_way(
    manager: Manager, loader: WatchedLoader
) -> None:
    loader.gate.clear()

    def call(number: int) -> Resolved:
        if number == 0:
            wait_until(lambda: loader.loads)
            loader.gate.set()
        return manager.resolve(ADDER, 2)

    resolved = at_once(16, call)
    assert loader.loads == [2]
    assert len({id(each.loaded) for each in resolved}) == 1


def test_a_load_that_takes_too_long_is_given_up_by_its_callers_and_goes_on(
    manager: Manager, loader: WatchedLoader, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader.gate.clear()
    with monkeypatch.context() as patched:
        patched.setattr(manager_module, "LOAD_DEADLINE_S", 0.01)
        for _ in range(3):
            with pytest.raises(NotReadyError, match="version 3 of 'adder' is still being loaded"):
                manager.resolve(ADDER)
    loader.gate.set()
    assert manager.resolve(ADDER).loaded.number == 3
    assert loader.loads == [3]


def test_different_versions_load_at_the_same_time(manager: Manager, loader: WatchedLoader) -> None:
    loader.gate.clear()

    def call(number: int) -> int:
        if number == 3:
            wait_until(lambda: len(loader.loads) == 3)
            loader.gate.set()
            return 0
        return manager.resolve(ADDER, number + 1).loaded.number

    assert at_once(4, call) == [1, 2, 3, 0]


def test_the_last_version_called_by_number_stays_warm_beside_the_labels(
    manager: Manager, loader: WatchedLoader
) -> None:
    for number in (None, 1, None, 1, 3, None):
        manager.resolve(ADDER, number)
    assert loader.loads == [3, 1]
    manager.resolve(ADDER, 2)
    assert loader.loads == [3, 1, 2]
    manager.resolve(ADDER, 1)  # 2 took its place
    assert loader.loads == [3, 1, 2, 1]


def test_a_caller_keeps_the_version_that_it_waited_for_though_it_was_let_go_meanwhile(
    manager: Manager,
) -> None:
    manager.resolve(ADDER)
    others: list[int] = []

    def overtake(frame: FrameType, event: str, _: object) -> None:
        waited = frame.f_code is Future.result.__code__ and frame.f_back is not None
        if event == "return" and waited and not others:
            caller = frame.f_back
            if caller is not None and caller.f_code is BackgroundLoads.wait.__code__:
                others.append(0)  # what answers the label lets all others go
                others[0] = in_thread(
                    lambda: manager.resolve(ADDER).loaded.number, "overtakes"
                ).result(DEADLINE_S)

    sys.setprofile(overtake)
    try:
        waited_for = manager.resolve(ADDER, 1).loaded.number
    finally:
        sys.setprofile(None)
    assert (others, waited_for) == ([3], 1)


def test_a_version_let_go_gives_its_memory_back(manager: Manager) -> None:
    manager.resolve(ADDER)
    session = weakref.ref(manager.resolve(ADDER, 1).loaded.session)
    assert session() is not None
    manager.resolve(ADDER, 2)
    wait_until(lambda: gc.collect() is None or session() is None)


@pytest.mark.parametrize("number", [0, 4, 10**17])
def test_a_version_that_never_was_is_unknown(manager: Manager, number: int) -> None:
    with pytest.raises(UnknownError, match=f"model 'adder' has no version {number}"):
        manager.resolve(ADDER, number)


@pytest.mark.parametrize("state", [State.RETIRED, State.DELETED])
def test_a_version_out_of_service_is_retired(
    manager: Manager, store: Path, state: State, loader: WatchedLoader
) -> None:
    manager.resolve(ADDER, 1)
    set_state(store, 1, state)
    with pytest.raises(RetiredError, match=f"version 1 of 'adder' is {state}"):
        manager.resolve(ADDER, 1)
    with pytest.raises(RetiredError):
        manager.describe(ADDER, 1)
    assert manager.resolve(ADDER).loaded.number == 3
    assert loader.loads == [1, 3]


def test_a_model_without_latest_answers_by_number_only(manager: Manager, store: Path) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={}))
    with pytest.raises(UnknownError, match="no version labelled 'latest'"):
        manager.resolve(ADDER)
    assert manager.resolve(ADDER, 1).loaded.number == 1


@pytest.mark.parametrize("name", ["nosuch", "a" * 64, "0"])
def test_a_model_that_is_not_published_is_unknown(manager: Manager, name: str) -> None:
    for _ in range(2):
        with pytest.raises(UnknownError, match=name):
            manager.resolve(name)


@pytest.mark.parametrize("name", ["", "..", "Adder", "a/b", "a" * 65, "é", "a\n", "\0", "adder "])
def test_what_is_no_models_name_is_unknown(manager: Manager, name: str) -> None:
    with pytest.raises(UnknownError) as caught:
        manager.resolve(name)
    assert "\n" not in str(caught.value)


def test_names_that_callers_make_up_leave_nothing_behind(
    manager: Manager, loader: WatchedLoader
) -> None:
    for number in range(100):
        with pytest.raises(UnknownError):
            manager.resolve(f"made-up-{number}")
        with pytest.raises(UnknownError):
            manager.resolve(f"../{number}")
        with pytest.raises(UnknownError):
            manager.describe(f"made-up-{number}", 1)
    assert manager.seen() == {}
    assert manager._models.by_name == {}
    manager.resolve(ADDER)
    for number in range(4, 100):
        with pytest.raises(UnknownError):
            manager.resolve(ADDER, number)
    state = manager._models.by_name[ADDER]
    assert (list(state.warm), state.loads, state.failures) == ([3], {}, {})
    assert state.called_by_number is None
    assert loader.loads == [3]


def test_what_was_seen_is_told_by_model(manager: Manager, store: Path) -> None:
    manager.resolve(ADDER)
    assert {name: seen.refs.generation for name, seen in manager.seen().items()} == {ADDER: 3}
    point_latest(store, 1)
    manager.resolve(ADDER)
    assert manager.seen()[ADDER].refs.generation == 4


def test_a_description_loads_nothing(manager: Manager, loader: WatchedLoader) -> None:
    refs, number, signature, _ = manager.describe(ADDER)
    assert (refs.generation, number) == (3, 3)
    assert [spec.name for spec in (*signature.inputs, *signature.outputs)] == ["x", "y"]
    assert manager.describe(ADDER, 1)[1] == 1
    assert loader.loads == []
    with pytest.raises(UnknownError):
        manager.describe(ADDER, 9)
    with pytest.raises(UnknownError):
        manager.describe("nosuch")


def test_what_is_published_is_listed(manager: Manager, store: Path) -> None:
    assert manager.published() == (ADDER,)
    (store / "STORE.json").unlink()
    with pytest.raises(NotReadyError, match=r"STORE\.json"):
        manager.published()
