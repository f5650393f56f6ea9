"""The collector is off while any load imports, and on as it was once none does."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from inference.package_sets.active_sets import PackageSets
from inference.package_sets.gc_pause import gc_paused, unfreeze
from model_store.package_set import Target
from model_sync.package_sets.publish import publish_wheels
from model_sync.progress import Silent
from model_sync.store_io.create_store import open_store
from tests.support.wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    gc.enable()
    gc.unfreeze()
    yield
    gc.enable()
    gc.unfreeze()


def test_it_is_off_until_the_last_of_them_ends_whichever_that_is() -> None:
    first, second = gc_paused(), gc_paused()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_it_stays_off_where_it_was() -> None:
    gc.disable()
    with gc_paused():
        pass
    assert not gc.isenabled()


class _FailedError(Exception):
    """Exception that ends a context in a test."""


def test_what_is_there_at_the_end_is_set_aside_and_can_be_taken_back() -> None:
    before = gc.get_freeze_count()
    with gc_paused():
        kept = [[] for _ in range(1000)]  # type: ignore[var-annotated]
    assert gc.get_freeze_count() >= before + len(kept)
    unfreeze()
    assert gc.get_freeze_count() == 0


def test_an_error_puts_it_on_again_and_sets_nothing_aside() -> None:
    with pytest.raises(_FailedError), gc_paused():
        raise _FailedError
    assert (gc.isenabled(), gc.get_freeze_count()) == (True, 0)


def test_it_is_off_while_a_version_loads_with_its_packages(tmp_path: Path) -> None:
    layout = open_store(tmp_path / "store")
    wheel = write_wheel(tmp_path / "wheels", "alpha")
    digest = publish_wheels((wheel,), layout, Target.running(), Silent())[0].digest
    seen = []
    with pytest.raises(_FailedError), PackageSets().use(layout, digest, "a test"):  # noqa: PT012
        seen.append(gc.isenabled())
        raise _FailedError  # so that the set is taken back
    assert [*seen, gc.isenabled()] == [False, True]
