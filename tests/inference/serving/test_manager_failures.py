from __future__ import annotations

import gc
import os
import shutil
from typing import TYPE_CHECKING

import onnxruntime
import pytest

from inference.errors import NotReadyError
from inference.serving.quarantine import LONGEST_RETRY_S, RETRY_BROKEN_S, RETRY_PASSING_S
from tests.support.damage import flip_a_byte
from tests.support.stores import ADDER, STEP, commit, point_latest, publish_adder, version_folder
from tests.support.threads import at_once
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from inference.serving.manager import Manager
    from tests.inference.conftest import Clock
    from tests.inference.watched_loader import WatchedLoader

GRAPH = "source/model.onnx"


def latest(manager: Manager) -> int:
    return manager.resolve(ADDER).loaded.number


def break_version(store: Path, number: int) -> bytes:
    graph = version_folder(store, number) / GRAPH
    whole = graph.read_bytes()
    flip_a_byte(graph)
    return whole


def has_failed(manager: Manager, number: int) -> bool:
    return number in {
        failure.version for failure in manager._models.by_name[ADDER].failures.values()
    }


def swap_to_broken(manager: Manager, store: Path) -> bytes:
    """Point latest from 1, which is warm, to 2, which does not load; return 2's right bytes."""
    point_latest(store, 1)
    assert latest(manager) == 1
    whole = break_version(store, 2)
    point_latest(store, 2)
    assert latest(manager) == 1
    wait_until(lambda: has_failed(manager, 2))
    return whole


def test_the_old_version_goes_on_when_the_new_one_does_not_load(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    swap_to_broken(manager, store)
    assert [latest(manager) for _ in range(50)] == [1] * 50
    assert loader.loads == [1, 2]


def test_a_broken_version_asked_for_by_number_is_refused_with_its_reason(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    swap_to_broken(manager, store)
    with pytest.raises(NotReadyError) as caught:
        manager.resolve(ADDER, 2)
    message = str(caught.value)
    assert message.startswith("version 2 of 'adder' cannot be loaded: ")
    assert f"{GRAPH} is damaged" in message
    assert loader.loads == [1, 2]


def test_a_broken_version_is_left_alone_until_refs_change_while_another_answers(
    manager: Manager, store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    whole = swap_to_broken(manager, store)
    (version_folder(store, 2) / GRAPH).write_bytes(whole)
    for _ in range(5):
        clock.advance(LONGEST_RETRY_S)
        assert latest(manager) == 1
    assert loader.loads == [1, 2]
    commit(store, ADDER, lambda refs: refs)
    wait_until(lambda: latest(manager) == 2)
    assert loader.loads == [1, 2, 2]


def test_each_failure_doubles_the_time_to_the_next_try(
    manager: Manager, store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    break_version(store, 3)
    for tries in range(1, 6):
        with pytest.raises(NotReadyError):
            latest(manager)
        assert loader.loads == [3] * tries
        clock.advance(RETRY_BROKEN_S * 2 ** (tries - 1) - 1)
        with pytest.raises(NotReadyError):
            latest(manager)
        assert loader.loads == [3] * tries
        clock.advance(2)


def test_new_refs_end_the_wait_for_a_broken_version(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    swap_to_broken(manager, store)
    publish_adder(store, 4 * STEP)
    wait_until(lambda: latest(manager) == 4)
    assert loader.loads == [1, 2, 4]


def test_a_model_that_never_loaded_is_refused_and_does_not_hang(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    break_version(store, 3)
    for _ in range(3):
        with pytest.raises(NotReadyError, match="version 3 of 'adder' cannot be loaded"):
            latest(manager)
    assert loader.loads == [3]
    assert manager.resolve(ADDER, 1).loaded.number == 1


def test_all_who_wait_for_a_broken_version_are_refused(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    break_version(store, 3)

    def call(_: int) -> str:
        with pytest.raises(NotReadyError) as caught:
            latest(manager)
        return str(caught.value)

    messages = at_once(8, call)
    assert all("is damaged" in message for message in messages)
    assert loader.loads == [3]


def test_a_never_loaded_model_heals_after_its_time(
    manager: Manager, store: Path, clock: Clock
) -> None:
    whole = break_version(store, 3)
    with pytest.raises(NotReadyError):
        latest(manager)
    (version_folder(store, 3) / GRAPH).write_bytes(whole)
    with pytest.raises(NotReadyError):
        latest(manager)
    clock.advance(RETRY_BROKEN_S + 1)
    assert latest(manager) == 3


def test_a_version_that_failed_for_the_stores_sake_is_tried_again_soon(
    manager: Manager, store: Path, loader: WatchedLoader, clock: Clock
) -> None:
    manager.describe(ADDER)
    loader.gate.clear()
    away = store.with_name("unmounted")

    def call(number: int) -> None:
        if number == 0:
            wait_until(lambda: loader.loads)
            store.rename(away)
            loader.gate.set()
            return
        with pytest.raises(NotReadyError):
            latest(manager)

    at_once(2, call)
    away.rename(store)
    clock.advance(RETRY_PASSING_S + 1)
    assert latest(manager) == 3


def test_a_pipeline_that_ends_the_process_at_load_fails_its_version_only(
    manager: Manager, store: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    code = """
import os, sys
if os.environ.get("LICENCE") == "gone":
    sys.exit("no licence")
def decode(request): return {}
def encode(outputs, request): return 1
"""
    assert latest(manager) == 3
    publish_adder(store, 4 * STEP, pipeline=code)
    monkeypatch.setenv("LICENCE", "gone")
    for _ in range(2):
        with pytest.raises(NotReadyError):
            manager.resolve(ADDER, 4)
    assert latest(manager) == 3
    monkeypatch.delenv("LICENCE")
    clock.advance(RETRY_BROKEN_S + 1)
    assert manager.resolve(ADDER, 4).loaded.number == 4


def sessions() -> set[int]:
    return {id(each) for each in gc.get_objects() if type(each) is onnxruntime.InferenceSession}


def test_a_load_that_failed_keeps_no_session(
    manager: Manager, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import os
if os.environ.get("LICENCE") == "gone":
    raise ValueError("no licence")
def decode(request): return {}
def encode(outputs, request): return 1
"""
    publish_adder(store, 4 * STEP, pipeline=code)
    monkeypatch.setenv("LICENCE", "gone")
    gc.collect()
    before = sessions()
    with pytest.raises(NotReadyError, match="no licence") as caught:
        latest(manager)
    gc.collect()
    # What was raised is still held here, with all that its frames hold.
    assert caught.value.__cause__ is not None
    assert sessions() <= before


def test_a_version_whose_files_are_gone_is_refused(manager: Manager, store: Path) -> None:
    shutil.rmtree(version_folder(store, 3))
    with pytest.raises(NotReadyError, match="is incomplete"):
        latest(manager)


def test_a_damaged_manifest_has_no_description(manager: Manager, store: Path) -> None:
    (version_folder(store, 3) / "manifest.json").write_text("{}")
    with pytest.raises(NotReadyError, match=r"manifest\.json"):
        manager.describe(ADDER)


def test_the_reason_of_a_failure_is_one_line_without_code(manager: Manager, store: Path) -> None:
    os.truncate(version_folder(store, 3) / GRAPH, 5)
    with pytest.raises(NotReadyError) as caught:
        latest(manager)
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    assert ".py" not in message
