"""What is put back after every test, whatever it is about; and who runs which test."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from tests.sharing import ByWhatIsMadeOnce, is_first

if TYPE_CHECKING:
    from collections.abc import Iterator

    from xdist.remote import Producer


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByWhatIsMadeOnce:
    """Share tests out, where there is more than one process."""
    return ByWhatIsMadeOnce(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; the order of all else stays."""
    items.sort(key=lambda item: not is_first(item.nodeid))


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """All garbage is looked for again: loading packages sets aside what there is (uncollected.py).

    Hypothesis, imported after that, asks the collector who holds an object of its own.
    """
    yield
    gc.unfreeze()
