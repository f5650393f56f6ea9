"""Sweeping over the mount: what was deleted is gone for good, whichever call fails on the way."""

from __future__ import annotations

import contextlib
import itertools
from typing import TYPE_CHECKING

import pytest

from model_store.errors import StoreError
from model_store.names import new_id
from model_sync.errors import SyncError
from model_sync.store_io.create_store import open_store
from tests.support.sweepable import ADDER, Sweepable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.efs_stand_in import EfsStandIn

pytestmark = pytest.mark.slow

DAYS = 2.0
OPERATIONS = ("mkdir", "rename", "link", "unlink", "rmdir", "fsyncdir", "opendir", "open", "read")


@pytest.fixture
def mounted_store(shared_efs: EfsStandIn) -> Iterator[Sweepable]:
    """A store of four versions on the mount, of which the first was retired."""
    store = Sweepable(open_store(shared_efs.mountpoint / new_id()))
    for _ in range(4):
        store.publish()
    store.run("retire", version=1)
    yield store
    shared_efs.heal()


def test_a_sweep_deletes_what_was_retired(mounted_store: Sweepable) -> None:
    found = mounted_store.sweep(DAYS)
    assert found["failures"] == []
    assert mounted_store.in_place() == {2, 3, 4}
    assert mounted_store.states()[1] == "deleted"
    assert list((mounted_store.layout.root / "trash").iterdir()) == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_whichever_call_of_a_sweep_fails_the_next_one_ends_it(
    mounted_store: Sweepable, shared_efs: EfsStandIn, operation: str
) -> None:
    errors = itertools.cycle(("EIO", "ESTALE", "EDQUOT"))
    for nth in (1, 2, 3):
        fault = shared_efs.fail(operation, next(errors), nth=nth)
        with contextlib.suppress(OSError, StoreError, SyncError):
            mounted_store.sweep(DAYS)
        assert fault.hits <= 1
        shared_efs.heal()
        assert {2, 3, 4} <= mounted_store.in_place()
        served = {
            number for number, state in mounted_store.states().items() if state == "available"
        }
        assert served == {2, 3, 4}
    assert mounted_store.sweep(DAYS)["failures"] == []
    assert mounted_store.in_place() == {2, 3, 4}
    assert mounted_store.refs(ADDER).labels["latest"] == 4
