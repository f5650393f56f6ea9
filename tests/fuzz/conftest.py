"""The store whose models are called: published once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fuzz.running import make_store

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def fuzzed_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model for each thing that is called. Not to be changed."""
    return make_store(tmp_path_factory.mktemp("fuzzed"))
