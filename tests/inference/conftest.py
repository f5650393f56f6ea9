"""Stores are published once a session and copied for each test, which may change its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from inference.http.application import Application
from inference.process.clock import Moment
from inference.serving import refs_watch
from inference.serving.manager import Manager
from inference.settings import Settings
from model_store.layout import StoreLayout
from tests.inference.logs import log_lines
from tests.inference.watched_loader import WatchedLoader
from tests.support.surface import make_surface
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any


class Clock:
    """Time as the product reads it, which stands still but where a test moves it on.

    So nothing grows too old because the machine is slow.
    """

    def __init__(self) -> None:
        self._now = Moment(time.time(), time.monotonic())

    def now(self) -> Moment:
        return self._now

    def advance(self, seconds: float) -> None:
        wall_s, monotonic_s = self._now
        self._now = Moment(wall_s + seconds, monotonic_s + seconds)


@pytest.fixture
def application(store: Path) -> Application:
    """An application over `store` that reads refs again at every call."""
    return Application(Settings(store, ref_ttl_s=0.0))


@pytest.fixture(scope="session")
def surface_store(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model for each thing that the surface answers. Not to be changed."""
    store = tmp_path_factory.mktemp("surface") / "store"
    make_surface(published, store)
    return store


@pytest.fixture(scope="session")
def surface(surface_store: Path) -> Application:
    """A warm application over `surface_store`, without a default model."""
    return Application(Settings(surface_store, ref_ttl_s=3600.0))


@pytest.fixture(autouse=True)
def unhurried_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have no check of refs be given up because the machine is slow, which leaves old refs in use.

    Tests of a store that hangs set deadlines of their own.
    """
    monkeypatch.setattr(refs_watch, "CHECK_DEADLINE_S", DEADLINE_S)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Replace the product's clock by one that only a test moves on."""
    clock = Clock()
    monkeypatch.setattr(Moment, "now", clock.now)
    return clock


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """Log of the product during a test: the JSON lines that go to stdout."""
    with log_lines() as lines:
        yield lines


@pytest.fixture
def loader() -> Iterator[WatchedLoader]:
    """The real loader, watched; whatever it holds back goes on at the test's end."""
    loader = WatchedLoader()
    yield loader
    loader.gate.set()


@pytest.fixture
def manager(store: Path, loader: WatchedLoader) -> Manager:
    """A manager over `store` that reads refs again at every call."""
    return Manager(StoreLayout(store), ref_ttl_s=0.0, load=loader)
