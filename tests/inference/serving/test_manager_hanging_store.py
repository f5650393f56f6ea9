"""A named pipe in place of a file blocks its reader, as a lost NFS server does."""

from __future__ import annotations

import os
import sys
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING

import pytest

from inference.errors import NotReadyError, UnknownError
from inference.process.daemon_thread import in_thread
from inference.serving import refs_watch as watch_module
from tests.support.stores import ADDER, STEP, point_latest, publish_adder, version_folder
from tests.support.threads import at_once
from tests.support.waiting import DEADLINE_S, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.serving.manager import Manager
    from tests.inference.watched_loader import WatchedLoader


class Hang:
    """Makes reading a file hang until it is released, which puts the file back."""

    def __init__(self, path: Path) -> None:
        self._path, self._aside = path, path.with_name("aside")
        path.rename(self._aside)
        os.mkfifo(path)
        # With a writer that writes nothing, opening goes well and reading waits.
        self._pipe: int | None = os.open(path, os.O_RDWR)

    def release(self) -> None:
        """Give the blocked reader the file's contents, and let later readers find the file."""
        if self._pipe is not None:
            os.write(self._pipe, self._aside.read_bytes())
            self._aside.replace(self._path)
            os.close(self._pipe)
            self._pipe = None


@pytest.fixture
def refs_hang(store: Path) -> Iterator[list[Hang]]:
    """Hangs that a test puts here are released at its end."""
    hangs: list[Hang] = []
    yield hangs
    for hang in hangs:
        hang.release()


@pytest.fixture(autouse=True)
def _short_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "CHECK_DEADLINE_S", 0.05)
    monkeypatch.setattr(watch_module, "COLD_CHECK_DEADLINE_S", 0.1)


def is_waiting(name: str) -> bool:
    """Return True if a thread waits for another thread's result."""
    frames = sys._current_frames()
    for thread in threading.enumerate():
        frame = frames.get(thread.ident or 0)
        while frame is not None and thread.name == name:
            if frame.f_code in {Future.result.__code__, wait.__code__}:
                return True
            frame = frame.f_back
    return False


def latest(manager: Manager) -> int:
    return manager.resolve(ADDER).loaded.number


def refs_json(store: Path) -> Path:
    return store / "models/adder/refs.json"


def test_what_is_warm_goes_on_while_the_store_hangs(
    manager: Manager, store: Path, refs_hang: list[Hang], loader: WatchedLoader
) -> None:
    assert latest(manager) == 3
    refs_hang.append(Hang(refs_json(store)))
    assert at_once(8, lambda _: latest(manager)) == [3] * 8
    assert [latest(manager) for _ in range(20)] == [3] * 20
    assert manager._watch._calls.is_in_progress(("refs", ADDER))
    assert loader.loads == [3]


def test_what_is_warm_does_not_wait_as_long_as_what_is_cold(
    manager: Manager, store: Path, refs_hang: list[Hang], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert latest(manager) == 3
    monkeypatch.setattr(watch_module, "COLD_CHECK_DEADLINE_S", 2 * DEADLINE_S)
    refs_hang.append(Hang(refs_json(store)))
    assert in_thread(lambda: latest(manager), "calls").result(DEADLINE_S) == 3


def test_after_a_hang_what_is_newest_is_served(
    manager: Manager, store: Path, refs_hang: list[Hang]
) -> None:
    assert latest(manager) == 3
    hang = Hang(refs_json(store))
    refs_hang.append(hang)
    assert latest(manager) == 3
    hang.release()
    point_latest(store, 1)
    wait_until(lambda: latest(manager) == 1)


def test_a_check_that_ends_late_is_taken_up_without_a_further_call(
    manager: Manager, store: Path, refs_hang: list[Hang]
) -> None:
    assert latest(manager) == 3
    point_latest(store, 1)
    hang = Hang(refs_json(store))
    refs_hang.append(hang)
    assert latest(manager) == 3
    hang.release()
    wait_until(lambda: manager.seen()[ADDER].refs.generation == 4)


def test_what_is_cold_is_not_ready_while_the_store_hangs(
    manager: Manager, store: Path, refs_hang: list[Hang]
) -> None:
    hang = Hang(store / "STORE.json")
    refs_hang.append(hang)
    for _ in range(3):
        with pytest.raises(NotReadyError, match=r"the store did not answer within 0\.1 s"):
            latest(manager)
    with pytest.raises(NotReadyError, match="did not answer"):
        manager.published()
    assert manager._models.by_name == {}
    hang.release()
    wait_until(lambda: not manager._watch._calls.is_in_progress(("refs", ADDER)))
    assert latest(manager) == 3


def test_a_description_is_not_ready_while_its_manifest_hangs(
    manager: Manager, store: Path, refs_hang: list[Hang]
) -> None:
    refs_hang.append(Hang(version_folder(store, 3) / "manifest.json"))
    with pytest.raises(NotReadyError, match="did not answer"):
        manager.describe(ADDER)


def test_one_model_that_hangs_does_not_hold_up_another(
    manager: Manager, store: Path, refs_hang: list[Hang]
) -> None:
    publish_adder(store, STEP, name="other")
    refs_hang.append(Hang(refs_json(store)))
    with pytest.raises(NotReadyError):
        latest(manager)
    assert manager.resolve("other").loaded.number == 1
    with pytest.raises(UnknownError):
        manager.resolve("nosuch")


def test_a_cold_call_that_joins_a_check_that_others_gave_up_is_answered_by_it(
    manager: Manager, store: Path, refs_hang: list[Hang], monkeypatch: pytest.MonkeyPatch
) -> None:
    hang = Hang(store / "STORE.json")
    refs_hang.append(hang)
    with pytest.raises(NotReadyError):
        latest(manager)
    monkeypatch.setattr(watch_module, "COLD_CHECK_DEADLINE_S", DEADLINE_S)
    joins = in_thread(lambda: latest(manager), "joins")
    wait_until(lambda: is_waiting("joins"))
    hang.release()
    assert joins.result(DEADLINE_S) == 3


def test_a_hang_holds_one_thread_and_not_one_a_call(
    manager: Manager, store: Path, refs_hang: list[Hang]
) -> None:
    assert latest(manager) == 3
    refs_hang.append(Hang(refs_json(store)))
    latest(manager)
    before = threading.active_count()
    at_once(8, lambda _: [latest(manager) for _ in range(20)])
    assert threading.active_count() <= before
