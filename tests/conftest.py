"""What is put back after every test, whatever it is about."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """All garbage is looked for again: loading packages sets aside what there is (uncollected.py).

    Hypothesis, imported after that, asks the collector who holds an object of its own.
    """
    yield
    gc.unfreeze()
