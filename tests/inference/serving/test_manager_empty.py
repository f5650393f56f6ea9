"""Calls for unpublished names check if the store is empty; no check lists it for long."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from inference.errors import UnknownError
from inference.process.daemon_thread import in_thread
from inference.process.deadline_calls import DeadlineCalls
from inference.serving.manager import Manager
from model_store.layout import StoreLayout
from model_sync.store_io.create_store import open_store
from tests.support.calls import get, infer, predict
from tests.support.models import adder_request
from tests.support.stores import ADDER, publish_adder
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from inference.http.application import Application
    from tests.inference.watched_loader import WatchedLoader


class Listings:
    """The folders that are listed in this process, while a test wants to know."""

    folders: list[str] | None = None

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in {"os.listdir", "os.scandir"} and self.folders is not None:
            self.folders.append(str(arguments[0]))


@pytest.fixture(scope="module")
def listings() -> Listings:
    # An audit hook cannot be taken back.
    listings = Listings()
    sys.addaudithook(listings)
    return listings


@pytest.fixture
def listed(listings: Listings) -> Iterator[list[str]]:
    listings.folders = []
    yield listings.folders
    listings.folders = None


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A store in which nothing was published."""
    return open_store(tmp_path / "empty").root


def ask_for_strangers(application: Application, count: int) -> list[int]:
    """Call unpublished models in every way; return the statuses."""
    statuses = []
    for number in range(count):
        name = f"made-up-{number}"
        statuses += [
            infer(application, adder_request([1.0, 2.0]), model=name).status,
            predict(application, name).status,
            get(application, f"/v2/models/{name}").status,
            get(application, f"/v2/models/{name}/ready").status,
            get(application, f"/v2/models/{ADDER}/versions/{number + 9}").status,
        ]
    return statuses


def test_where_a_model_was_seen_an_unknown_one_lists_nothing(
    application: Application, store: Path, listed: list[str]
) -> None:
    assert infer(application, adder_request([1.0, 2.0])).status == 200
    listed.clear()
    assert set(ask_for_strangers(application, 3)) == {404}
    assert [folder for folder in listed if folder.startswith(str(store))] == []


def test_where_none_was_seen_yet_the_models_are_listed_once(
    manager: Manager, store: Path, listed: list[str]
) -> None:
    for number in range(3):
        with pytest.raises(UnknownError):
            manager.resolve(f"made-up-{number}")
        assert not manager.is_empty()
    assert [folder for folder in listed if folder.startswith(str(store))] == [str(store / "models")]


def test_an_empty_store_is_looked_at_anew_until_something_is_published(
    empty: Path, loader: WatchedLoader
) -> None:
    manager = Manager(StoreLayout(empty), ref_ttl_s=3600.0, load=loader)
    assert manager.is_empty()
    assert manager.is_empty()
    publish_adder(empty, 1.0)
    assert not manager.is_empty()


def test_a_name_that_is_being_looked_up_is_no_model(empty: Path, loader: WatchedLoader) -> None:
    manager = Manager(StoreLayout(empty), ref_ttl_s=0.0, load=loader)
    told: list[bool] = []

    def overtake(frame: FrameType, event: str, _: object) -> None:
        if event == "return" and frame.f_code is DeadlineCalls.run.__code__ and not told:
            told.append(in_thread(manager.is_empty, "overtakes").result(DEADLINE_S))

    sys.setprofile(overtake)
    try:
        with pytest.raises(UnknownError):
            manager.resolve("made-up")
    finally:
        sys.setprofile(None)
    assert told == [True]
    assert manager.is_empty()
