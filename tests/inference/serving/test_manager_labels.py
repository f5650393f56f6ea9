"""Labels and splits as a caller of the HTTP API meets them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from inference.errors import NotReadyError
from inference.http.application import Application
from inference.process.daemon_thread import in_thread
from inference.settings import Settings
from model_store.refs import State
from tests.support.calls import add, get, http_event, infer, predict, send
from tests.support.damage import flip_a_byte
from tests.support.models import adder_request
from tests.support.stores import (
    ADDER,
    STEP,
    commit,
    point_latest,
    publish_adder,
    set_state,
    version_folder,
)
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from inference.serving.manager import Manager
    from model_store.refs import Refs
    from tests.inference.watched_loader import WatchedLoader
    from tests.support.calls import Answer

CANARY: Final = 1
LATEST: Final = 3
KEYS: Final = 150


def split(percent: int) -> Callable[[Refs], Refs]:
    """`canary` names version 1 and has so many percent of calls; `latest` is version 3."""
    labels = {"latest": LATEST, "canary": CANARY}
    return lambda refs: refs._replace(labels=labels, split={"canary": percent})


def by_label(application: Application, label: str) -> Answer:
    body = json.dumps(adder_request([1.0, 2.0]))
    event = http_event("POST", f"/v2/models/{ADDER}/labels/{label}/infer", body=body)
    return send(application, event)


def by_key(application: Application, key: str) -> Answer:
    body = json.dumps(adder_request([1.0, 2.0]))
    event = http_event(
        "POST", f"/v2/models/{ADDER}/infer", body=body, headers={"coldpress-routing-key": key}
    )
    return send(application, event)


def damage(store: Path, number: int) -> None:
    flip_a_byte(version_folder(store, number) / "source/model.onnx")


@pytest.fixture
def warm(store: Path) -> Callable[[int], Application]:
    """Make an application whose two sides of a split are warm."""

    def make(percent: int) -> Application:
        commit(store, ADDER, split(percent))
        application = Application(Settings(store, ref_ttl_s=0.0))
        assert add(application, [1.0, 2.0]).status == 200
        assert by_label(application, "canary").version == CANARY
        return application

    return make


def test_a_label_has_addresses_of_its_own(application: Application, store: Path) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 3, "stable": 2}))
    answer = by_label(application, "stable")
    assert (answer.status, answer.values) == (200, [1 + 2 * STEP, 2 + 2 * STEP])
    assert (answer.version, answer.headers["Coldpress-Label"]) == (2, "stable")
    assert answer.json["model_version"] == "2"
    ready = get(application, f"/v2/models/{ADDER}/labels/stable/ready")
    assert (ready.status, ready.version) == (200, 2)
    assert ready.headers["Coldpress-Label"] == "stable"
    described = get(application, f"/v2/models/{ADDER}/labels/stable")
    assert (described.status, described.version) == (200, 2)


def test_a_labels_pipeline_answers_at_its_address(store: Path) -> None:
    code = "def decode(request): raise ValueError('{}')\ndef encode(outputs, request): return 1\n"
    publish_adder(store, 1.0, name="said", pipeline=code.format("one"))
    publish_adder(store, 2.0, name="said", pipeline=code.format("two"))
    commit(store, "said", lambda refs: refs._replace(labels={"latest": 2, "old": 1}))
    application = Application(Settings(store, ref_ttl_s=0.0))
    old = send(application, http_event("POST", "/models/said/labels/old/predict", body=""))
    assert (old.error, old.headers["Coldpress-Label"]) == ("the input was refused: one", "old")
    assert predict(application, "said").error == "the input was refused: two"


@pytest.mark.parametrize("label", ["nosuch", "Latest", "a" * 300, "%20"])
@pytest.mark.parametrize(
    ("method", "end"), [("GET", ""), ("GET", "/ready"), ("POST", "/infer"), ("GET", "/stats")]
)
def test_an_unknown_label_is_404(
    application: Application, label: str, method: str, end: str
) -> None:
    path = f"/v2/models/{ADDER}/labels/{label}{end}"
    assert send(application, http_event(method, path, body="{}")).status == 404


def test_an_unknown_label_is_404_for_a_pipeline(application: Application) -> None:
    path = f"/models/{ADDER}/labels/nosuch/predict"
    answer = send(application, http_event("POST", path, body=""))
    assert answer.status == 404
    assert answer.error == "model 'adder' has no version labelled 'nosuch'"


def test_a_label_that_is_taken_away_is_404_though_its_version_is_warm(
    application: Application, store: Path
) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 3, "stable": 2}))
    assert by_label(application, "stable").status == 200
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 3}))
    assert by_label(application, "stable").status == 404


@pytest.mark.parametrize(("percent", "expected"), [(0, LATEST), (100, CANARY)])
def test_nothing_and_everything_are_exact(
    warm: Callable[[int], Application], percent: int, expected: int
) -> None:
    application = warm(percent)
    label = "latest" if expected == LATEST else "canary"
    for key in range(KEYS):
        for answer in (by_key(application, str(key)), add(application, [1.0, 2.0])):
            assert (answer.status, answer.version) == (200, expected)
            assert answer.headers["Coldpress-Label"] == label
            assert answer.values == [1 + expected * STEP, 2 + expected * STEP]


def test_a_routing_key_sticks_to_its_side_and_to_both_as_the_split_says(
    warm: Callable[[int], Application],
) -> None:
    application = warm(30)
    first = [by_key(application, str(key)).version for key in range(KEYS)]
    assert [by_key(application, str(key)).version for key in range(KEYS)] == first
    # The keys are always the same, and so is what becomes of them.
    assert 0.25 * KEYS < first.count(CANARY) < 0.35 * KEYS


def test_a_growing_split_takes_no_key_back(warm: Callable[[int], Application], store: Path) -> None:
    application = warm(5)
    before: set[int] = set()
    for percent in (5, 25, 50, 75):
        commit(store, ADDER, split(percent))
        now = {k for k in range(KEYS) if by_key(application, str(k)).version == CANARY}
        assert before < now
        before = now


def test_calls_by_number_or_label_are_never_split(warm: Callable[[int], Application]) -> None:
    application = warm(100)
    for key in range(20):
        assert by_label(application, "latest").version == LATEST
        assert add(application, [1.0, 2.0], version=2).version == 2
        assert by_key(application, str(key)).version == CANARY


def test_a_split_to_a_broken_canary_falls_back_to_latest(store: Path) -> None:
    damage(store, CANARY)
    commit(store, ADDER, split(100))
    application = Application(Settings(store, ref_ttl_s=0.0))
    for key in range(20):
        answer = by_key(application, str(key))
        assert (answer.status, answer.version) == (200, LATEST)
        assert answer.headers["Coldpress-Label"] == "latest"
    direct = by_label(application, "canary")
    assert direct.status == 503
    assert direct.error.startswith("version 1 of 'adder' cannot be loaded: ")
    assert "is damaged" in direct.error
    [trouble] = get(application, "/v2/health/ready").json["troubles"]
    assert (trouble["model"], trouble["version"]) == (ADDER, CANARY)
    # And it was not tried call after call.
    [_, stats] = sorted(
        get(application, "/v2/models/stats").json["model_stats"],
        key=lambda each: -int(each["version"]),
    )
    assert (stats["version"], stats["load_failures"]) == (str(CANARY), 1)


def test_a_split_whose_canary_was_taken_from_service_falls_back_to_latest(store: Path) -> None:
    commit(store, ADDER, split(100))
    set_state(store, CANARY, State.RETIRED)  # which no verb does while a label names it
    application = Application(Settings(store, ref_ttl_s=0.0))
    assert by_key(application, "key").version == LATEST
    assert by_label(application, "canary").status == 410


def test_where_latest_is_broken_too_the_call_says_so(store: Path) -> None:
    for number in (CANARY, LATEST):
        damage(store, number)
    commit(store, ADDER, split(100))
    answer = add(Application(Settings(store, ref_ttl_s=0.0)), [1.0, 2.0])
    assert answer.status == 503
    assert answer.error.startswith("version 3 of 'adder' cannot be loaded: ")


def test_a_new_split_loads_beside_before_it_is_called(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    assert manager.resolve(ADDER).loaded.number == LATEST
    loader.gate.clear()
    commit(store, ADDER, split(1))
    manager.describe(ADDER)  # sees the split, and needs no version of it
    wait_until(lambda: loader.loads == [LATEST, CANARY])


def test_calls_that_a_new_split_sends_elsewhere_do_not_wait_there(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    assert manager.resolve(ADDER).loaded.number == LATEST
    loader.gate.clear()
    commit(store, ADDER, split(100))
    for _ in range(20):
        resolved = manager.resolve(ADDER)
        assert (resolved.loaded.number, resolved.label) == (LATEST, "latest")
    # Who asks for it by name does.
    waits = in_thread(lambda: manager.resolve(ADDER, label="canary").loaded.number, "waits")
    assert manager.resolve(ADDER).loaded.number == LATEST
    assert not waits.done()
    loader.gate.set()
    assert waits.result(DEADLINE_S) == CANARY
    assert manager.resolve(ADDER).label == "canary"
    assert loader.loads == [LATEST, CANARY]


def test_in_a_cold_start_a_call_loads_its_own_side_alone(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    commit(store, ADDER, split(100))
    assert manager.resolve(ADDER).loaded.number == CANARY
    assert loader.loads == [CANARY]


def test_a_canary_that_moves_on_is_answered_by_the_one_before_while_it_loads(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    commit(store, ADDER, split(100))
    assert manager.resolve(ADDER).loaded.number == CANARY
    loader.gate.clear()
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 3, "canary": 2}))
    for _ in range(20):
        resolved = manager.resolve(ADDER)
        assert (resolved.loaded.number, resolved.label) == (CANARY, "canary")
    loader.gate.set()
    wait_until(lambda: manager.resolve(ADDER).loaded.number == 2)


def test_what_was_just_loaded_is_not_let_go_by_calls_for_other_versions(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 1, "stable": 1}))
    assert manager.resolve(ADDER).loaded.number == 1
    point_latest(store, 2)
    assert manager.resolve(ADDER).loaded.number == 1
    wait_until(lambda: 2 in manager.state().models[ADDER].warm)
    for _ in range(5):  # between the load and the next call for `latest`
        assert manager.resolve(ADDER, label="stable").loaded.number == 1
        assert manager.resolve(ADDER, 3).loaded.number == 3
    assert manager.resolve(ADDER).loaded.number == 2
    assert loader.loads == [1, 2, 3]


def test_labels_share_a_version_that_is_warm(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 3, "stable": 3}))
    assert manager.resolve(ADDER).loaded is manager.resolve(ADDER, label="stable").loaded
    assert loader.loads == [3]


def test_a_label_of_a_broken_version_does_not_take_latest_down(
    manager: Manager, store: Path
) -> None:
    damage(store, 1)
    commit(store, ADDER, lambda refs: refs._replace(labels={"latest": 3, "stable": 1}))
    with pytest.raises(NotReadyError, match="version 1 of 'adder'"):
        manager.resolve(ADDER, label="stable")
    assert manager.resolve(ADDER).loaded.number == 3


def test_an_inference_by_the_label_of_another_model_is_404(
    application: Application, store: Path
) -> None:
    publish_adder(store, 1.0, name="other")
    commit(store, "other", lambda refs: refs._replace(labels={"latest": 1, "own": 1}))
    assert by_label(application, "own").status == 404
    assert infer(application, adder_request([1.0, 2.0]), model="other").status == 200
