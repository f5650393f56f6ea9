"""Stores in a temporary folder, and what a reader opens of them."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.documents import write_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from model_store.layout import ModelLayout, StoreLayout

    Listen = Callable[[], contextlib.AbstractContextManager[list[tuple[str, str]]]]


@pytest.fixture
def empty_store(tmp_path: Path) -> StoreLayout:
    """An empty store."""
    return write_store(tmp_path / "store")


@pytest.fixture
def model(empty_store: StoreLayout) -> ModelLayout:
    """A model's folder in a store, with nothing in it."""
    layout = empty_store.model("adder")
    layout.folder.mkdir(parents=True)
    return layout


class _Opens:
    """Record opened folders. An audit hook cannot be removed, so one stays and is switched on.

    Folders that are only traversed (O_PATH) and descriptors that become streams are not recorded.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] | None = None

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.heard is None or event not in {"open", "os.listdir", "os.scandir"}:
            return
        what, _, flags = arguments if event == "open" else (*arguments[:1], "", 0)
        assert isinstance(flags, int)
        if not isinstance(what, int) and not flags & os.O_PATH:
            self.heard.append((event, str(what)))


@pytest.fixture(scope="session")
def _opens() -> _Opens:
    opens = _Opens()
    sys.addaudithook(opens)
    return opens


@pytest.fixture
def heard(_opens: _Opens) -> Listen:
    """Listen to the opens and listings of a block of code."""

    @contextlib.contextmanager
    def listen() -> Iterator[list[tuple[str, str]]]:
        events: list[tuple[str, str]] = []
        _opens.heard = events
        try:
            yield events
        finally:
            _opens.heard = None

    return listen
