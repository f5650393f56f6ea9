"""Stores that go away, come back as others, or hold what they should not."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from inference.errors import NotReadyError, UnknownError
from inference.process.daemon_thread import in_thread
from tests.support.stores import ADDER, STEP, point_latest, publish_adder, refs_of, version_folder
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from inference.serving.manager import Manager
    from tests.inference.watched_loader import WatchedLoader


def latest(manager: Manager) -> int:
    return manager.resolve(ADDER).loaded.number


def test_without_store_json_what_is_warm_goes_on(manager: Manager, store: Path) -> None:
    assert latest(manager) == 3
    (store / "STORE.json").rename(store / "gone")
    assert [latest(manager) for _ in range(10)] == [3] * 10
    assert manager.describe(ADDER)[1] == 3
    (store / "gone").rename(store / "STORE.json")
    point_latest(store, 1)
    wait_until(lambda: latest(manager) == 1)


def test_without_store_json_what_is_cold_is_not_ready(manager: Manager, store: Path) -> None:
    (store / "STORE.json").rename(store / "gone")
    with pytest.raises(NotReadyError, match="there is no store at"):
        latest(manager)
    assert manager._models.by_name == {}
    (store / "gone").rename(store / "STORE.json")
    assert latest(manager) == 3


def test_a_store_that_went_away_is_not_an_empty_one(manager: Manager, store: Path) -> None:
    assert latest(manager) == 3
    store.rename(store.with_name("unmounted"))
    assert latest(manager) == 3
    store.mkdir()  # the bare mount point
    assert latest(manager) == 3
    with pytest.raises(NotReadyError):
        manager.published()


DAMAGED = {
    "empty": lambda data: b"",
    "cut short": lambda data: data[: len(data) // 2],
    "another model's": lambda data: data.replace(b'"adder"', b'"other"'),
    "a newer format": lambda data: data.replace(b'"format": 1', b'"format": 2'),
    "a label that is none": lambda data: data.replace(b'"latest"', b'"Latest"'),
    "an id that is none": lambda data: data.replace(b'"id": "2', b'"id": "../2'),
}


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_refs_change_nothing_for_what_is_warm(
    manager: Manager, store: Path, damage: Any, loader: WatchedLoader
) -> None:
    assert latest(manager) == 3
    refs_json = store / "models/adder/refs.json"
    data = refs_json.read_bytes()
    refs_json.unlink()
    refs_json.write_bytes(damage(data))
    assert [latest(manager) for _ in range(3)] == [3] * 3
    assert loader.loads == [3]


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_refs_are_no_unknown_model_for_what_is_cold(
    manager: Manager, store: Path, damage: Any
) -> None:
    refs_json = store / "models/adder/refs.json"
    data = refs_json.read_bytes()
    refs_json.unlink()
    refs_json.write_bytes(damage(data))
    with pytest.raises(NotReadyError, match=r"refs|format 2|is refused"):
        latest(manager)


def test_a_deleted_model_is_unknown(manager: Manager, store: Path) -> None:
    assert latest(manager) == 3
    shutil.rmtree(store / "models" / ADDER)
    with pytest.raises(UnknownError, match="no model is named 'adder'"):
        latest(manager)
    assert manager.seen() == {}


def test_another_store_at_the_same_path_starts_over(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    assert latest(manager) == 3
    shutil.rmtree(store)
    publish_adder(store, 7.0)
    assert latest(manager) == 1
    assert manager.seen()[ADDER].refs.generation == 1
    assert loader.loads == [3, 1]


def test_a_store_restored_from_an_older_copy_starts_over(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    copy = store.with_name("copy")
    shutil.copytree(store, copy)
    point_latest(store, 1)
    assert latest(manager) == 1
    # Restoring gives the store an id of its own; the model is the same one, at an older state.
    shutil.rmtree(store)
    copy.rename(store)
    store_json = json.loads((store / "STORE.json").read_bytes())
    (store / "STORE.json").unlink()
    (store / "STORE.json").write_text(json.dumps(store_json | {"id": "restored"}))
    assert latest(manager) == 3
    assert loader.loads == [1, 3]


def test_a_model_made_anew_under_its_name_starts_over(manager: Manager, store: Path) -> None:
    before = manager.resolve(ADDER).loaded
    shutil.rmtree(store / "models" / ADDER)
    for constant in (7.0, 8.0, 9.0):
        publish_adder(store, constant)
    # The same generation and the same number: only the model's id tells them apart.
    assert refs_of(store).generation == 3
    after = manager.resolve(ADDER).loaded
    assert after.number == 3
    assert after.digest != before.digest


def test_a_load_that_ends_after_its_store_was_replaced_is_not_taken_up(
    manager: Manager, store: Path, loader: WatchedLoader
) -> None:
    point_latest(store, 1)
    old = version_folder(store, 1)
    loader.gate.clear()
    waiting = in_thread(lambda: manager.resolve(ADDER).loaded.digest, "waits")
    wait_until(lambda: loader.loads == [1])
    shutil.copytree(old, store.parent / "kept")
    shutil.rmtree(store)
    published = publish_adder(store, STEP + 1)
    (store / "models/adder/versions" / old.name).parent.mkdir(exist_ok=True)
    shutil.copytree(store.parent / "kept", old)  # so that the old load can end well
    assert manager.describe(ADDER)[1] == 1
    loader.gate.set()
    waiting.exception(30.0)
    assert manager.resolve(ADDER).loaded.digest == published.digest
