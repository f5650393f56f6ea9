"""The golden gate: a version whose cases fail here answers no caller if another version can."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import pytest

from inference.errors import NotReadyError
from inference.http.application import Application
from inference.serving.quarantine import RETRY_BROKEN_S, RETRY_PASSING_S
from inference.settings import Settings
from tests.inference.background import wait_until_idle
from tests.support.calls import get, predict
from tests.support.damage import flip_a_byte
from tests.support.model_folders import write_full
from tests.support.stores import commit, publish_folder, version_folder
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from inference.serving.manager import Manager
    from tests.inference.conftest import Clock
    from tests.inference.watched_loader import WatchedLoader

pytestmark = pytest.mark.store_of("golden_store")

MODEL: Final = "gated"

PIPELINE: Final = """
import json, os, time
import numpy as np

def decode(request):
    if log := os.environ.get("CALLS_LOG"):
        with open(log, "a") as stream:
            stream.write("%s\\n")
    while os.path.exists(os.environ.get("HOLD", "")):
        time.sleep(0.002)
    return {"x": np.array([json.loads(request.body)], np.float32)}

def encode(outputs, request):
    off = float(os.environ.get("OFF_BY_%s", "0"))
    if os.environ.get("RAISES_%s"):
        raise RuntimeError("not here")
    return {"y": (outputs["y"][0] + off).tolist()}
"""


@pytest.fixture(scope="module")
def golden_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Version n adds n, has a golden case, and answers otherwise where OFF_BY_n is set."""
    store = tmp_path_factory.mktemp("published") / "store"
    for number in (1, 2):
        folder = store.parent / "sources" / MODEL
        shutil.rmtree(folder, ignore_errors=True)
        write_full(folder, float(number), pipeline=PIPELINE % (number, number, number))
        publish_folder(store, folder)
    point(store, 1)
    return store


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """File in which the pipelines note each call: their version's number, a line each."""
    path = tmp_path / "calls"
    path.write_text("")
    monkeypatch.setenv("CALLS_LOG", str(path))
    return path


def point(store: Path, number: int) -> None:
    commit(store, MODEL, lambda refs: refs._replace(labels={"latest": number}))


def latest(manager: Manager) -> int:
    return manager.resolve(MODEL).loaded.number


def reasons(manager: Manager) -> list[tuple[int, str]]:
    state = manager.state().models.get(MODEL)
    return [(each.version, each.reason) for each in state.quarantined] if state else []


def answer_cold(manager: Manager, cases: Cases) -> None:
    """Answer by version 1, whose cases have run; those of others will be held back."""
    assert latest(manager) == 1
    wait_until_idle(manager)
    cases.hold()


class Cases:
    """The golden cases that run: nothing else calls the pipelines where a test only resolves."""

    def __init__(self, calls: Path, hold: Path) -> None:
        self._calls = calls
        self._hold = hold

    @property
    def begun(self) -> list[int]:
        """The versions whose cases have begun since they were last held back."""
        return [int(line) for line in self._calls.read_text().split()]

    def hold(self) -> None:
        """Hold back those that begin from now on."""
        self._calls.write_text("")
        self._hold.touch()

    def let_go(self) -> None:
        self._hold.unlink(missing_ok=True)


@pytest.fixture
def cases(calls: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cases]:
    hold = calls.with_name("hold")
    monkeypatch.setenv("HOLD", str(hold))
    cases = Cases(calls, hold)
    yield cases
    cases.let_go()


def test_a_version_that_answers_wrongly_here_never_answers_when_loaded_beside(
    manager: Manager, store: Path, monkeypatch: pytest.MonkeyPatch, loader: WatchedLoader
) -> None:
    assert latest(manager) == 1
    monkeypatch.setenv("OFF_BY_2", "5")
    point(store, 2)
    assert latest(manager) == 1
    wait_until(lambda: latest(manager) == 1 and reasons(manager))
    for _ in range(50):
        assert latest(manager) == 1
    assert reasons(manager) == [
        (
            2,
            (
                "version 2 of 'gated' is in quarantine: golden case 'one' is answered wrongly: "
                "$.y[0] is 8.0, expected 3.0"
            ),
        )
    ]
    with pytest.raises(NotReadyError, match="version 2 of 'gated' is in quarantine"):
        manager.resolve(MODEL, 2)
    assert loader.loads == [1, 2]


def test_a_pipeline_that_raises_in_a_golden_case_is_kept_out_with_its_cause(
    manager: Manager, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert latest(manager) == 1
    monkeypatch.setenv("RAISES_2", "1")
    point(store, 2)
    assert latest(manager) == 1
    wait_until(lambda: latest(manager) == 1 and reasons(manager))
    assert latest(manager) == 1
    [(number, reason)] = reasons(manager)
    assert number == 2
    assert "golden case 'one' fails: pipeline.py failed in encode()" in reason
    assert "not here" in reason
    assert "\n" not in reason


def test_a_version_is_warmed_up_before_it_takes_over(
    manager: Manager, store: Path, calls: Path
) -> None:
    assert latest(manager) == 1
    wait_until_idle(manager)
    point(store, 2)
    wait_until(lambda: latest(manager) == 2)
    # One golden case each; no pipeline has been called yet.
    assert calls.read_text().split() == ["1", "2"]


def test_no_call_is_answered_by_it_while_its_cases_run(
    manager: Manager, store: Path, cases: Cases
) -> None:
    answer_cold(manager, cases)
    point(store, 2)
    assert latest(manager) == 1
    wait_until(lambda: latest(manager) == 1 and cases.begun == [2])
    for _ in range(20):
        assert latest(manager) == 1
    cases.let_go()
    wait_until(lambda: latest(manager) == 2)


def test_a_version_loaded_for_a_call_by_number_takes_over_a_label_after_its_cases_only(
    manager: Manager, store: Path, cases: Cases
) -> None:
    answer_cold(manager, cases)
    assert manager.resolve(MODEL, 2).loaded.number == 2  # it is warm, and its cases run
    wait_until(lambda: cases.begun == [2])
    point(store, 2)
    for _ in range(20):
        assert latest(manager) == 1
    cases.let_go()
    wait_until(lambda: latest(manager) == 2)


def test_in_a_cold_start_the_call_is_answered_before_the_cases_run(
    manager: Manager, cases: Cases
) -> None:
    cases.hold()
    assert latest(manager) == 1
    assert latest(manager) == 1
    wait_until(lambda: cases.begun == [1])
    cases.let_go()
    wait_until_idle(manager)
    assert reasons(manager) == []


def test_after_a_cold_start_a_wrong_version_is_taken_out_and_the_reason_told(
    store: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    monkeypatch.setenv("OFF_BY_1", "5")
    application = Application(Settings(store, ref_ttl_s=0.0))
    assert call(application) == (200, {"y": [7.0, 8.0]})  # the price of not waiting
    wait_until(lambda: call(application)[0] == 503)
    status, document = call(application)
    assert "is in quarantine: golden case 'one' is answered wrongly" in document["error"]
    assert application._manager.state().models[MODEL].warm == {}
    [trouble] = get(application, "/v2/health/ready").json["troubles"]
    assert (trouble["model"], trouble["version"]) == (MODEL, 1)
    [told] = application.probe()["environment"]["models"][MODEL]["quarantined"]
    assert told["reason"] == trouble["error"]
    # From now on its cases run first: it never answers again while they fail.
    for _ in range(3):
        clock.advance(10 * RETRY_BROKEN_S)
        status, document = call(application)
        assert (status, "golden case 'one'" in document["error"]) == (503, True)
    monkeypatch.delenv("OFF_BY_1")
    clock.advance(100 * RETRY_BROKEN_S)
    assert call(application) == (200, {"y": [2.0, 3.0]})
    assert "troubles" not in get(application, "/v2/health/ready").json


def call(application: Application) -> tuple[int, dict[str, Any]]:
    answered = predict(application, MODEL, "[1, 2]")
    return answered.status, answered.json


def test_a_version_that_is_taken_out_gives_way_to_another_that_answered(
    manager: Manager, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert latest(manager) == 1
    monkeypatch.setenv("OFF_BY_2", "5")
    manager.resolve(MODEL, 2)
    wait_until(lambda: reasons(manager))
    point(store, 2)
    for _ in range(20):
        assert latest(manager) == 1


@pytest.mark.parametrize("name", ["request.json", "expected.json"])
def test_a_version_with_damaged_cases_does_not_take_over(
    manager: Manager, store: Path, name: str, loader: WatchedLoader, clock: Clock
) -> None:
    assert latest(manager) == 1
    flip_a_byte(version_folder(store, 2, MODEL) / "golden" / "one" / name)
    point(store, 2)
    wait_until(lambda: latest(manager) == 1 and reasons(manager))
    [(number, reason)] = reasons(manager)
    assert (number, f"{name} is damaged" in reason) == (2, True)
    for _ in range(10):
        clock.advance(100 * RETRY_PASSING_S)
        assert latest(manager) == 1
    assert loader.loads == [1, 2]


def test_a_version_whose_cases_are_gone_does_not_take_over(manager: Manager, store: Path) -> None:
    assert latest(manager) == 1
    shutil.rmtree(version_folder(store, 2, MODEL) / "golden")
    point(store, 2)
    assert latest(manager) == 1
    wait_until(lambda: latest(manager) == 1 and reasons(manager))
    assert latest(manager) == 1


def test_a_version_that_answers_already_goes_on_though_its_cases_cannot_be_read(
    manager: Manager, store: Path
) -> None:
    shutil.rmtree(version_folder(store, 1, MODEL) / "golden")
    assert latest(manager) == 1
    wait_until_idle(manager)
    assert latest(manager) == 1
    assert reasons(manager) == []
    point(store, 2)
    wait_until(lambda: latest(manager) == 2)


def test_a_preloaded_version_runs_its_cases_too(manager: Manager, calls: Path) -> None:
    manager.preload([MODEL], DEADLINE_S)
    wait_until_idle(manager)
    assert calls.read_text().split() == ["1"]
    assert latest(manager) == 1
