"""The page over real stores, and a real Chromium to look at it with."""

from __future__ import annotations

import shutil
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from inference.http.application import Application
from inference.settings import Settings
from tests.inference.http.page.stores import add_magika, make_page_store
from tests.inference.http.page.tabs import Tab
from tests.support.commands import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Opened = Callable[..., Tab]

CHROMIUM = "chromium"


@pytest.fixture(scope="session")
def page_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a model for each thing that the page asks for. Not to be changed."""
    store = tmp_path_factory.mktemp("page") / "store"
    make_page_store(store)
    return store


@pytest.fixture(scope="session")
def shown_store(page_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `page_store` with a real model, for a browser to show. Not to be changed."""
    store = tmp_path_factory.mktemp("shown") / "store"
    shutil.copytree(page_store, store)
    add_magika(store)
    return store


@pytest.fixture(scope="session")
def application(page_store: Path) -> Application:
    """An application over `page_store`."""
    return Application(Settings(page_store, ref_ttl_s=3600.0))


@pytest.fixture(scope="module")
def site(shown_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server over `shown_store`."""
    with serving(tmp_path_factory.mktemp("site") / "stderr", "--store", shown_store) as server:
        yield server.url


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium. A module's, for Playwright keeps an event loop running in the thread."""
    executable = shutil.which(CHROMIUM)
    if executable is None:
        pytest.fail("chromium is not installed: make system-packages installs it", pytrace=False)
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - `make test` has none

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable,
            chromium_sandbox=False,  # root has none
        )
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Any, site: str) -> Iterator[Opened]:
    """Make tabs; at the test's end none may have complained, or asked for anything elsewhere."""
    tabs: list[Tab] = []
    with ExitStack() as ending:

        def new_tab(origin: str = site, *, width: int = 1280, **how: Any) -> Tab:
            context = chromium.new_context(viewport={"width": width, "height": 800}, **how)
            ending.callback(context.close)
            tabs.append(Tab(context.new_page(), origin))
            return tabs[-1]

        yield new_tab
        for tab in tabs:
            sys.stdout.write(f"{tab.shown()}\n")  # pytest shows it of a test that failed
        assert [tab.complaints() for tab in tabs] == [[] for _ in tabs]
