"""All versions together stay in the budget, and what has to go is what is missed least."""

from __future__ import annotations

import random
import threading
import weakref
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import pytest

from inference.errors import NoMemoryError, NotReadyError
from inference.http.application import Application
from inference.process.daemon_thread import in_thread
from inference.serving.quarantine import RETRY_BROKEN_S
from inference.settings import Settings
from tests.inference.background import wait_until_idle
from tests.inference.serving.sized_models import (
    Gated,
    answers,
    copy_sized,
    manager_of,
    need,
    publish_sized,
    warm,
)
from tests.support.calls import add, get, infer
from tests.support.damage import flip_a_byte
from tests.support.models import adder_request
from tests.support.stores import commit, copy_model, version_folder
from tests.support.threads import at_once
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.loading.memory_need import Need
    from tests.inference.conftest import Clock

pytestmark = pytest.mark.store_of("sized_store")

MODELS: Final = 20
CALLS: Final = 300


@pytest.fixture(scope="module")
def sized_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models a, b, c, d of one size, `wide` of twice that, and `swapped` of two versions.

    Not to be changed.
    """
    store = tmp_path_factory.mktemp("published") / "store"
    publish_sized(store, "a")
    for name in "bcd":
        copy_model(store, "a", name)
    copy_sized(store, "a", "wide", 2.0)
    for constant in (1.0, 2.0):
        publish_sized(store, "swapped", constant=constant)
    point(store, 1)
    return store


@pytest.fixture
def load() -> Iterator[Gated]:
    gate = threading.Event()
    gate.set()
    yield Gated(gate)
    gate.set()


@pytest.fixture
def one(store: Path) -> Need:
    """Memory of a model of size 1: 3 times its size during its load, and 2 times after it."""
    return need(store, "a")


def point(store: Path, number: int) -> None:
    """Move what `latest` of `swapped` names."""
    commit(store, "swapped", lambda refs: refs._replace(labels={"latest": number}))


def budget(one: Need, *, peaks: int = 1, residents: int = 0) -> int:
    """Return memory for this many loads and warm versions of size 1, and a bit more."""
    return peaks * one.peak_bytes + residents * one.resident_bytes + one.resident_bytes // 10


def test_what_fits_stays(store: Path, load: Gated, one: Need) -> None:
    manager = manager_of(store, budget(one, residents=2), load)
    for name in "abcabc":
        answers(manager, name)
    assert len(load.loads) == 3
    assert manager.state().used_bytes == 3 * one.resident_bytes


def test_the_least_recently_used_goes_first(store: Path, load: Gated, one: Need) -> None:
    manager = manager_of(store, budget(one, residents=2), load)
    for name in "abcad":
        answers(manager, name)
    assert warm(manager) == ["a/1", "c/1", "d/1"]
    answers(manager, "b")
    assert warm(manager) == ["a/1", "b/1", "d/1"]


def test_as_many_go_as_a_wide_one_needs(store: Path, load: Gated, one: Need) -> None:
    manager = manager_of(store, budget(one, residents=2), load)
    for name in ("a", "b", "c", "wide"):
        answers(manager, name)
    assert load.most_bytes <= budget(one, residents=2)
    assert warm(manager) == ["wide/1"]


def test_a_load_under_way_counts_at_its_peak(store: Path, load: Gated, one: Need) -> None:
    manager = manager_of(store, budget(one, residents=1), load)
    answers(manager, "a")
    load.gate.clear()
    call = in_thread(lambda: answers(manager, "b"), "calls")
    wait_until(lambda: "b" in load.held)
    assert manager.state().used_bytes == one.resident_bytes + one.peak_bytes
    load.gate.set()
    call.result(DEADLINE_S)
    assert manager.state().used_bytes == 2 * one.resident_bytes


def test_loads_that_need_each_others_room_go_one_after_the_other(
    store: Path, load: Gated, one: Need
) -> None:
    manager = manager_of(store, budget(one), load)
    at_once(4, lambda number: answers(manager, "abcd"[number]))
    assert sorted(load.loads) == [(name, 1) for name in "abcd"]
    assert load.most_bytes <= budget(one)
    wait_until_idle(manager)
    assert manager.state().used_bytes == one.resident_bytes


def test_nothing_goes_in_vain_while_other_loads_have_the_memory(
    store: Path, load: Gated, one: Need
) -> None:
    manager = manager_of(store, budget(one, peaks=2), load)
    answers(manager, "a")
    load.gate.clear()
    loads_b = in_thread(lambda: answers(manager, "b"), "calls")
    wait_until(lambda: load.held == ["a", "b"])
    loads_wide = in_thread(lambda: answers(manager, "wide"), "calls")
    wait_until(lambda: ("wide", 1) in load.loads)
    for _ in range(20):
        answers(manager, "a")  # which letting go would not make room enough
    assert load.held == ["a", "b"]
    load.gate.set()
    loads_b.result(DEADLINE_S)
    loads_wide.result(DEADLINE_S)
    assert load.most_bytes <= budget(one, peaks=2)
    assert load.loads == [("a", 1), ("b", 1), ("wide", 1)]


def test_what_is_replaced_goes_last_though_others_were_used_later(
    store: Path, load: Gated, one: Need
) -> None:
    manager = manager_of(store, budget(one, residents=1), load)
    answers(manager, "a")
    answers(manager, "swapped")
    load.gate.clear()
    load.start.clear()
    point(store, 2)
    answers(manager, "swapped", 1)
    wait_until(lambda: ("swapped", 2) in load.loads)
    answers(manager, "a")
    load.start.set()
    wait_until(lambda: load.held.count("swapped") == 2)
    assert warm(manager) == ["swapped/1"]
    answers(manager, "swapped", 1)
    load.gate.set()
    wait_until(lambda: manager.resolve("swapped").loaded.number == 2)


def test_where_both_do_not_fit_calls_wait_and_none_fails(
    store: Path, load: Gated, one: Need
) -> None:
    manager = manager_of(store, budget(one), load)
    answers(manager, "swapped")
    load.gate.clear()
    point(store, 2)
    answers(manager, "swapped", 1)
    wait_until(lambda: load.held.count("swapped") == 2)
    assert warm(manager) == []
    calls = [in_thread(lambda: manager.resolve("swapped").loaded.number, "waits") for _ in "1234"]
    assert not any(call.done() for call in calls)
    load.gate.set()
    assert [call.result(DEADLINE_S) for call in calls] == [2] * 4
    assert load.loads == [("swapped", 1), ("swapped", 2)]
    assert load.most_bytes <= budget(one)


def test_a_broken_version_that_had_to_have_the_room_gives_way_to_the_one_before(
    store: Path, load: Gated, one: Need
) -> None:
    manager = manager_of(store, budget(one), load)
    answers(manager, "swapped")
    flip_a_byte(version_folder(store, 2, "swapped") / "source/model.onnx")
    point(store, 2)
    answers(manager, "swapped", 1)
    wait_until(lambda: manager.state().models["swapped"].quarantined or not warm(manager))
    for _ in range(50):
        answers(manager, "swapped", 1)
    assert load.loads == [("swapped", number) for number in (1, 2, 1)]
    [failed] = manager.state().models["swapped"].quarantined
    assert failed.version == 2
    assert load.most_bytes <= budget(one)


def test_a_call_under_way_keeps_what_was_let_go_and_the_load_waits_for_its_end(
    store: Path, load: Gated, one: Need
) -> None:
    manager = manager_of(store, budget(one), load)
    under_way = [manager.resolve("a").loaded]
    waits = in_thread(lambda: answers(manager, "b"), "waits")
    wait_until(lambda: warm(manager) == [])
    assert under_way[0].session.get_inputs()[0].name == "x"
    assert load.held == ["a"]
    assert manager.state().used_bytes == one.resident_bytes
    under_way.clear()
    waits.result(DEADLINE_S)
    assert load.most_bytes <= budget(one)


def test_a_load_that_waits_for_room_too_long_says_so_and_is_tried_again(
    store: Path, load: Gated, one: Need, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    manager = manager_of(store, budget(one), load)
    under_way = [manager.resolve("a").loaded]
    monkeypatch.setattr("inference.serving.memory_ledger.ROOM_DEADLINE_S", 0.05)
    with pytest.raises(NotReadyError, match="'b' waits for memory that calls in progress have"):
        manager.resolve("b")
    under_way.clear()
    clock.advance(RETRY_BROKEN_S)
    answers(manager, "b")


@pytest.mark.parametrize("request_body", [{}, {"inputs": []}])
def test_what_is_let_go_is_gone_at_once_though_a_call_to_it_was_refused(
    store: Path, request_body: object
) -> None:
    application = Application(Settings(store, ref_ttl_s=0.0))
    assert infer(application, adder_request([1.0, 2.0]), model="a").status == 200
    assert infer(application, request_body, model="a").status == 400
    model = application._manager._models.by_name["a"]
    session = weakref.ref(model.warm[1].loaded.session)
    with application._manager._models.lock:
        model.remove(1)
    assert session() is None  # without a collection, for which a load would have to wait


def test_what_never_fits_is_507_with_both_numbers_and_not_tried_until_refs_change(
    tmp_path: Path, clock: Clock
) -> None:
    store = tmp_path / "store"
    publish_sized(store, "adder", 9.0)  # 0.36 MB: 1.03 MB while it loads
    application = Application(Settings(store, ref_ttl_s=0.0, memory_budget_mb=1))
    for _ in range(3):
        answer = add(application, [1.0, 2.0])
        assert answer.status == 507
        assert "version 1 of 'adder' needs 2 MB to load" in answer.error
        assert "has 1 MB for all versions together" in answer.error
        clock.advance(100 * RETRY_BROKEN_S)
    assert failed_loads(application) == 1
    commit(store, "adder", lambda refs: refs)
    assert add(application, [1.0, 2.0]).status == 507
    assert failed_loads(application) == 2
    [trouble] = get(application, "/v2/health/ready").json["troubles"]
    assert (trouble["model"], trouble["version"]) == ("adder", 1)
    assert "needs 2 MB" in trouble["error"]


def failed_loads(application: Application) -> int:
    [stats] = get(application, "/v2/models/adder/stats").json["model_stats"]
    failures = stats["load_failures"]
    assert isinstance(failures, int)
    return failures


def test_what_never_fits_keeps_the_version_that_is_warm(
    store: Path, load: Gated, one: Need
) -> None:
    manager = manager_of(store, budget(one), load)
    answers(manager, "a")
    with pytest.raises(NoMemoryError):
        manager.resolve("wide")
    assert warm(manager) == ["a/1"]


def test_a_split_whose_two_sides_do_not_fit_fails_no_call(
    store: Path, load: Gated, one: Need
) -> None:
    commit(
        store,
        "swapped",
        lambda refs: refs._replace(labels={"latest": 1, "canary": 2}, split={"canary": 50}),
    )
    manager = manager_of(store, budget(one), load)
    for number in range(20):
        assert manager.resolve("swapped", routing_key=str(number)).loaded.number in {1, 2}
    assert load.most_bytes <= budget(one)


def optimum(calls: list[str], needs: dict[str, Need], capacity: int) -> int:
    """Return the number of calls that find their model warm under exact LRU eviction."""
    held: OrderedDict[str, int] = OrderedDict()
    hits = 0
    for name in calls:
        if name in held:
            hits += 1
        else:
            while sum(held.values()) + needs[name].peak_bytes > capacity:
                held.popitem(last=False)
            held[name] = needs[name].resident_bytes
        held.move_to_end(name)
    return hits


@pytest.fixture(scope="module")
def twenty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models m0 to m19, of sizes from 1 to 3.85. Not to be changed."""
    store = tmp_path_factory.mktemp("twenty") / "store"
    publish_sized(store, "m0")
    for number in range(1, MODELS):
        copy_sized(store, "m0", f"m{number}", 1.0 + number * 7 % MODELS * 0.15)
    return store


def test_twenty_models_in_memory_for_six_hit_as_often_as_the_offline_lru(
    twenty: Path, load: Gated
) -> None:
    names = [f"m{number}" for number in range(MODELS)]
    needs = {name: need(twenty, name) for name in names}
    capacity = 6 * sum(each.resident_bytes for each in needs.values()) // MODELS
    weights = [1 / (rank + 1) for rank in range(MODELS)]
    calls = random.Random(7).choices(names, weights, k=CALLS)  # noqa: S311 - a seeded choice
    manager = manager_of(twenty, capacity, load)
    for name in calls:
        answers(manager, name)
    assert load.most_bytes <= capacity
    assert manager.state().used_bytes <= capacity
    hits = CALLS - len(load.loads)
    # One call after another: nothing is decided otherwise than offline.
    assert hits == optimum(calls, needs, capacity)
    assert hits > CALLS // 2


def test_twenty_models_called_from_four_threads_are_never_over_budget(
    twenty: Path, load: Gated
) -> None:
    names = [f"m{number}" for number in range(MODELS)]
    needs = {name: need(twenty, name) for name in names}
    capacity = 6 * sum(each.resident_bytes for each in needs.values()) // MODELS
    manager = manager_of(twenty, capacity, load)
    weights = [1 / (rank + 1) for rank in range(MODELS)]

    def call(thread: int) -> None:
        mine = random.Random(thread).choices(names, weights, k=CALLS // 8)  # noqa: S311
        for name in mine:
            answers(manager, name)

    at_once(4, call)
    assert 0 < load.most_bytes <= capacity
