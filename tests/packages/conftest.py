"""A store, and a folder of wheels in the place of a registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_sync.creation import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.layout import StoreLayout


@pytest.fixture
def layout(tmp_path: Path) -> StoreLayout:
    """A new store."""
    return open_store(tmp_path / "store")


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder; the wheels in it are all that pip can find."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder
