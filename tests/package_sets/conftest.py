"""A store, a folder of wheels or a tiny registry in the place of the real one, and a real set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_sync.store_io.create_store import open_store
from tests.package_sets.real_set import published_set
from tests.package_sets.tiny_index import serve_index

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model_store.layout import StoreLayout
    from tests.package_sets.real_set import LargeSet
    from tests.package_sets.tiny_index import TinyIndex


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    """A new store."""
    return open_store(tmp_path / "store")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyIndex]:
    """A registry; what is added to it is all that pip can find."""
    folder = tmp_path / "registry"
    folder.mkdir()
    with serve_index(folder) as served:
        monkeypatch.setenv("PIP_INDEX_URL", served.url)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        yield served


@pytest.fixture(scope="session")
def large_set(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LargeSet]:
    """A set of real packages, 700 MB, that a minute goes into: for slow tests."""
    with published_set(tmp_path_factory.mktemp("large-set")) as published:
        yield published
