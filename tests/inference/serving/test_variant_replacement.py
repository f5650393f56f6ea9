"""A mapped version is replaced by its packed variant after calls; only speed changes."""

from __future__ import annotations

import shutil
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pytest

from inference.errors import UnknownError
from inference.http.application import Application
from inference.loading.loader import load_version
from inference.process.background import Background
from inference.process.daemon_thread import in_thread
from inference.serving.manager import Manager
from inference.serving.mapped_files import LIMITS
from inference.serving.variant_replacement import Room, find_room
from inference.settings import Settings
from model_store.layout import StoreLayout
from model_store.refs import State
from model_store.variant import PLAIN
from tests.inference.background import wait_until_idle
from tests.inference.replaceable import (
    MAPPED,
    MAPPED_NEED,
    MODEL,
    PACKED,
    PACKED_NEED,
    SIZE,
    X,
    expected,
    prepared_folder,
    publish_replaceable,
    replace_graph,
    variant,
)
from tests.inference.serving.sized_models import need, publish_sized
from tests.support.calls import add, get, infer
from tests.support.damage import flip_a_byte
from tests.support.models import write_pair
from tests.support.stores import ADDER, commit, set_state
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.serving.warm_models import WarmVersion
    from tests.inference.conftest import Clock

pytestmark = pytest.mark.store_of("replaceable_store")

BOTH: Final = MAPPED_NEED.resident_bytes + PACKED_NEED.peak_bytes
REQUEST: Final = {
    "inputs": [{"name": "x", "shape": [1, SIZE], "datatype": "FP32", "data": X[0].tolist()}]
}


@pytest.fixture(scope="module")
def replaceable_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions of MODEL that start mapped and go on packed, and an adder that does not."""
    store = tmp_path_factory.mktemp("replaceable") / "store"
    for constant in (1.0, 2.0):
        publish_replaceable(store, constant)
    publish_sized(store, ADDER)
    point(store, 1)
    return store


class Golden:
    """Control of golden cases: `hold` makes new ones wait until `let_go`."""

    def __init__(self, hold: Path) -> None:
        self._hold = hold

    def hold(self) -> None:
        self._hold.touch()

    def let_go(self) -> None:
        self._hold.unlink(missing_ok=True)


@pytest.fixture
def golden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Golden]:
    hold = tmp_path / "hold"
    monkeypatch.setenv("HOLD", str(hold))
    golden = Golden(hold)
    yield golden
    golden.let_go()


@pytest.fixture
def manager(store: Path) -> Manager:
    return manager_of(store)


def manager_of(store: Path, budget_bytes: int | None = None) -> Manager:
    layout = StoreLayout(store)
    return Manager(layout, ref_ttl_s=0.0, load=load_version, budget_bytes=budget_bytes)


def point(store: Path, number: int) -> None:
    commit(store, MODEL, lambda refs: refs._replace(labels={"latest": number}))


def called(manager: Manager) -> None:
    """Call the model, and wait until nothing goes on because of it."""
    assert manager.resolve(MODEL).loaded.number == 1
    wait_until_idle(manager)


def held_in_its_golden_case(manager: Manager, golden: Golden) -> None:
    """Call the model; its replacement is loaded, and held back before it takes over."""
    manager.preload([MODEL], DEADLINE_S)
    wait_until_idle(manager)
    golden.hold()
    manager.resolve(MODEL)
    held = MAPPED_NEED.resident_bytes + PACKED_NEED.peak_bytes
    wait_until(lambda: manager.state().used_bytes == held)


def stats(manager: Manager) -> tuple[int, int]:
    """Return the numbers of successful and failed replacements of version 1."""
    [found] = manager.stats.describe(MODEL, 1)
    return found["replacements"], found["replacement_failures"]


def said(lines: list[dict[str, Any]], message: str) -> list[str]:
    return [line["reason"] for line in lines if line["message"] == message]


def test_the_first_call_is_answered_mapped_and_later_ones_packed_by_one_swap(store: Path) -> None:
    background = Background()
    application = Application(Settings(store, ref_ttl_s=0.0), background)
    background.begin_call()  # another call, which is to lose nothing to a load
    first = infer(application, REQUEST, model=MODEL)
    assert variant_files(application) == MAPPED
    assert not background.busy()
    background.end_call()
    wait_until(lambda: variant_files(application) == PACKED)
    wait_until(lambda: not background.busy())
    later = [infer(application, REQUEST, model=MODEL) for _ in range(5)]
    assert not background.busy()
    for answer in (first, *later):
        np.testing.assert_allclose(answer.values, expected()[0], rtol=1e-4, atol=1e-5)
    [counted] = get(application, f"/v2/models/{MODEL}/stats").json["model_stats"]
    assert (counted["loads"], counted["replacements"], counted["replacement_failures"]) == (1, 1, 0)
    assert application.probe()["environment"]["models"][MODEL]["variants"] == {1: PACKED}


def variant_files(application: Application) -> str:
    [counted] = get(application, f"/v2/models/{MODEL}/stats").json["model_stats"]
    return cast("str", counted["variant"])


def test_a_version_that_was_loaded_ahead_is_replaced_when_it_has_answered(manager: Manager) -> None:
    manager.preload([MODEL], DEADLINE_S)
    wait_until_idle(manager)
    assert variant(manager) == MAPPED
    called(manager)
    assert variant(manager) == PACKED


def test_labels_and_numbers_see_the_form_that_took_over(manager: Manager, store: Path) -> None:
    commit(store, MODEL, lambda refs: refs._replace(labels={"latest": 1, "shadow": 1}))
    called(manager)
    found = [
        manager.resolve(MODEL, 1),
        manager.resolve(MODEL),
        manager.resolve(MODEL, label="shadow"),
    ]
    assert {each.loaded.variant for each in found} == {PACKED}
    assert len({id(each.loaded.session) for each in found}) == 1
    assert found[0].loaded.replacement is None


def test_the_pipeline_goes_on_with_the_state_that_it_has(manager: Manager) -> None:
    before = manager.resolve(MODEL).loaded.pipeline
    wait_until(lambda: variant(manager) == PACKED)
    assert manager.resolve(MODEL).loaded.pipeline is before


def test_calls_from_many_threads_during_the_swap_are_all_answered(store: Path) -> None:
    background = Background()
    application = Application(Settings(store, ref_ttl_s=0.0), background)
    swapped = threading.Event()

    def call() -> list[int]:
        statuses: list[int] = []
        while not swapped.is_set() or len(statuses) < 20:
            answer = infer(application, REQUEST, model=MODEL)
            statuses.append(answer.status)
            np.testing.assert_allclose(answer.values, expected()[0], rtol=1e-4, atol=1e-5)
        return statuses

    callers = [in_thread(call, f"caller-{number}") for number in range(4)]
    try:
        wait_until(lambda: MODEL in application._manager.state().models)
        wait_until(lambda: PACKED in application._manager.state().models[MODEL].variants.values())
    finally:
        swapped.set()
    for caller in callers:
        assert set(caller.result(DEADLINE_S)) == {200}
    assert stats(application._manager) == (1, 0)


def test_a_call_under_way_keeps_its_form_and_the_memory_is_counted_until_it_ends(
    manager: Manager,
) -> None:
    under_way = [manager.resolve(MODEL).loaded]
    session = weakref.ref(under_way[0].session)
    wait_until_idle(manager)
    assert variant(manager) == PACKED
    both = MAPPED_NEED.resident_bytes + PACKED_NEED.resident_bytes
    assert manager.state().used_bytes == both
    assert staying_bytes(manager) == PACKED_NEED.resident_bytes
    answer: Any = under_way[0].run({"x": X})["y"]
    np.testing.assert_allclose(answer, expected(), rtol=1e-4, atol=1e-5)
    assert under_way[0].variant == MAPPED
    under_way.clear()
    assert session() is None
    assert manager.state().used_bytes == PACKED_NEED.resident_bytes


def staying_bytes(manager: Manager) -> int:
    """Return the memory that loads count with: all versions except those about to be evicted."""
    return manager._budget.ledger.staying_bytes


def test_the_form_that_took_over_is_let_go_as_any_version_is(manager: Manager) -> None:
    called(manager)
    under_way = [manager.resolve(MODEL).loaded]
    manager.unload(MODEL)
    wait_until_idle(manager)
    assert manager.state().used_bytes == PACKED_NEED.resident_bytes
    assert staying_bytes(manager) == 0
    under_way.clear()
    assert manager.state().used_bytes == 0


def test_the_other_forms_peak_is_reserved_beside_what_answers(
    manager: Manager, golden: Golden
) -> None:
    held_in_its_golden_case(manager, golden)
    assert variant(manager) == MAPPED
    assert manager.resolve(MODEL).loaded.variant == MAPPED
    golden.let_go()
    wait_until(lambda: variant(manager) == PACKED)
    wait_until_idle(manager)
    assert manager.state().used_bytes == PACKED_NEED.resident_bytes


def test_with_just_enough_memory_for_both_it_is_replaced(store: Path) -> None:
    manager = manager_of(store, BOTH)
    called(manager)
    assert variant(manager) == PACKED
    assert manager.state().used_bytes == PACKED_NEED.resident_bytes


def test_without_find_room_both_it_stays_and_says_so_once(
    store: Path, logged: list[dict[str, Any]]
) -> None:
    manager = manager_of(store, BOTH - 1)
    for _ in range(5):
        called(manager)
    assert variant(manager) == MAPPED
    assert manager.state().used_bytes == MAPPED_NEED.resident_bytes
    [reason] = said(logged, "a version keeps its variant")
    assert "needs 5,000,000 bytes to load, beside 1,000,000 of 5,999,999 that are taken" in reason
    assert stats(manager) == (0, 0)


def test_nothing_else_is_let_go_for_it(store: Path) -> None:
    manager = manager_of(store, BOTH)
    manager.resolve(ADDER)
    for _ in range(3):
        called(manager)
    assert variant(manager) == MAPPED
    assert list(manager.state().models[ADDER].warm) == [1]


def test_once_loaded_anew_it_is_tried_again(store: Path) -> None:
    manager = manager_of(store, BOTH)
    manager.resolve(ADDER)
    called(manager)
    manager.unload(ADDER)
    called(manager)
    assert variant(manager) == MAPPED
    manager.unload(MODEL)
    wait_until_idle(manager)
    called(manager)
    assert variant(manager) == PACKED


def test_a_load_waits_for_it_and_lets_nothing_go_for_its_sake(store: Path, golden: Golden) -> None:
    manager = manager_of(store, BOTH + need(store, ADDER).peak_bytes - 1)
    held_in_its_golden_case(manager, golden)
    adds = in_thread(lambda: manager.resolve(ADDER).loaded.number, "adds")
    wait_until(lambda: ADDER in manager.state().models)
    assert manager.state().models[ADDER].loading == (1,)
    for _ in range(20):
        assert manager.resolve(MODEL).loaded.variant == MAPPED
    assert not adds.done()
    golden.let_go()
    assert adds.result(DEADLINE_S) == 1
    wait_until_idle(manager)
    assert variant(manager) == PACKED


@pytest.mark.parametrize("file", ["model.onnx", "weights.bin"])
def test_a_damaged_form_leaves_the_one_that_answers_is_told_and_not_tried_again(
    store: Path,
    logged: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
) -> None:
    monkeypatch.delenv("POWERTOOLS_METRICS_DISABLED", raising=False)
    flip_a_byte(prepared_folder(store) / PACKED / file)
    manager = manager_of(store)
    for _ in range(3):
        called(manager)
    loaded = manager.resolve(MODEL).loaded
    answer: Any = loaded.run({"x": X})["y"]
    np.testing.assert_allclose(answer, expected(), rtol=1e-4, atol=1e-5)
    assert loaded.variant == MAPPED
    [reason] = said(logged, "a version's replacement failed")
    assert f"{PACKED}/{file} is damaged" in reason
    assert str(store) not in reason
    assert stats(manager) == (0, 1)
    assert capsys.readouterr().out.count('"ReplacementFailures":[1.0]') == 1
    assert manager.state().used_bytes == MAPPED_NEED.resident_bytes
    assert not manager.state().models[MODEL].quarantined


def test_a_form_that_answers_a_golden_case_wrongly_here_does_not_take_over(
    manager: Manager,
    golden: Golden,
    logged: list[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held_in_its_golden_case(manager, golden)
    monkeypatch.setenv("OFF_BY", "1")
    golden.let_go()
    wait_until_idle(manager)
    assert variant(manager) == MAPPED
    [reason] = said(logged, "a version's replacement failed")
    assert "golden case 'one' is answered wrongly" in reason
    assert manager.state().used_bytes == MAPPED_NEED.resident_bytes


def test_a_form_whose_graph_is_not_the_signatures_does_not_take_over(
    store: Path, tmp_path: Path, logged: list[dict[str, Any]]
) -> None:
    replace_graph(store, write_pair(tmp_path / "other"))
    manager = manager_of(store)
    called(manager)
    assert variant(manager) == MAPPED
    [reason] = said(logged, "a version's replacement failed")
    assert "its inputs are not the signature's" in reason


def test_a_version_whose_golden_case_fails_is_taken_out_and_not_replaced(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFF_BY", "1")
    manager.resolve(MODEL)
    wait_until_idle(manager)
    assert manager.state().models[MODEL].variants == {}
    assert stats(manager) == (0, 0)
    assert manager.state().used_bytes == 0


def test_a_version_that_its_label_left_meanwhile_is_not_replaced(
    manager: Manager, store: Path, golden: Golden, logged: list[dict[str, Any]]
) -> None:
    held_in_its_golden_case(manager, golden)
    point(store, 2)
    golden.let_go()
    wait_until_idle(manager)
    assert variant(manager) == MAPPED
    assert said(logged, "a version keeps its variant") == ["no label names it any more"]
    assert manager.state().used_bytes == MAPPED_NEED.resident_bytes


def test_a_version_that_its_label_left_before_is_not_begun_with(
    manager: Manager, store: Path, logged: list[dict[str, Any]]
) -> None:
    manager._background.begin_call()
    manager.resolve(MODEL)
    point(store, 2)
    manager._background.end_call()
    wait_until_idle(manager)
    assert variant(manager) == MAPPED
    assert said(logged, "a version keeps its variant") == []


def test_a_version_that_was_called_by_its_number_is_replaced_too(manager: Manager) -> None:
    manager.resolve(MODEL, 2)
    wait_until_idle(manager)
    assert variant(manager, 2) == PACKED


@pytest.mark.parametrize("state", [State.RETIRED, State.DELETED])
def test_a_version_that_left_service_meanwhile_is_not_replaced(
    manager: Manager, store: Path, golden: Golden, state: State, logged: list[dict[str, Any]]
) -> None:
    held_in_its_golden_case(manager, golden)
    set_state(store, 1, state, MODEL)
    golden.let_go()
    wait_until_idle(manager)
    assert variant(manager) == MAPPED
    assert said(logged, "a version keeps its variant") == [f"version 1 of '{MODEL}' is {state}"]
    assert manager.state().used_bytes == MAPPED_NEED.resident_bytes


def test_a_model_that_is_deleted_meanwhile_leaves_nothing(
    manager: Manager, store: Path, golden: Golden
) -> None:
    held_in_its_golden_case(manager, golden)
    session = session_of(manager)
    shutil.rmtree(store / "models" / MODEL)
    with pytest.raises(UnknownError):
        manager.resolve(MODEL)
    golden.let_go()
    wait_until_idle(manager)
    assert session() is None
    assert manager.state().used_bytes == 0


def test_a_version_that_was_let_go_and_loaded_anew_meanwhile_is_not_the_one_that_is_replaced(
    manager: Manager, golden: Golden, logged: list[dict[str, Any]]
) -> None:
    held_in_its_golden_case(manager, golden)
    session = session_of(manager)
    manager.unload(MODEL)
    wait_until(lambda: session() is None)  # though what replaces it is still held back
    manager._background.begin_call()
    manager.resolve(MODEL)
    golden.let_go()
    wait_until_idle(manager)
    assert said(logged, "a version keeps its variant") == ["it was unloaded"]
    assert variant(manager) == MAPPED
    manager._background.end_call()
    wait_until_idle(manager)
    assert variant(manager) == PACKED
    assert stats(manager) == (1, 0)
    assert manager.state().used_bytes == PACKED_NEED.resident_bytes


def session_of(manager: Manager) -> weakref.ref[Any]:
    warm: WarmVersion = manager._models.by_name[MODEL].warm[1]
    return weakref.ref(warm.loaded.session)


def test_rule_6_bounds_the_form_that_answers_and_no_longer_the_one_before(
    tmp_path: Path, clock: Clock
) -> None:
    store = tmp_path / "store"
    publish_replaceable(store, replacement=PLAIN)  # whose weights are in the graph
    manager = manager_of(store)
    assert manager.resolve(MODEL).loaded.maps_files
    wait_until(lambda: variant(manager) == PLAIN)
    wait_until_idle(manager)
    shutil.move(store, store.with_name("away"))
    clock.advance(LIMITS.oldest_check_s + 1)
    assert not manager.resolve(MODEL).loaded.maps_files


def test_a_version_without_another_form_is_left_alone(
    store: Path, logged: list[dict[str, Any]]
) -> None:
    application = Application(Settings(store, ref_ttl_s=0.0))
    assert add(application, [1.0, 2.0]).status == 200
    wait_until_idle(application._manager)
    [counted] = application._manager.stats.describe(ADDER)
    assert (counted["replacements"], counted["replacement_failures"]) == (0, 0)
    assert said(logged, "a version keeps its variant") == []


@pytest.mark.parametrize(
    ("budget", "used", "staying", "loads", "room"),
    [
        (None, 10**12, 10**12, True, Room.NOW),
        (100, 40, 40, False, Room.NOW),
        (100, 41, 41, False, Room.NO),
        (100, 41, 40, False, Room.LATER),
        (100, 0, 0, True, Room.LATER),
        (100, 90, 90, True, Room.LATER),
    ],
)
def test_there_is_room_beside_all_that_stays_when_no_load_is_under_way(
    budget: int | None, used: int, staying: int, loads: bool, room: Room
) -> None:
    found = find_room(
        peak_bytes=60,
        budget_bytes=budget,
        used_bytes=used,
        staying_bytes=staying,
        is_loading=loads,
    )
    assert found is room
