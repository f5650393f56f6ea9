"""A dry run says what a sweep would do, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from model_store.names import new_id
from model_sync.admin.operations import run_operation
from model_sync.errors import RequestError
from model_sync.store_io.staging import Staging
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from tests.support.sweepable import Sweepable


@pytest.fixture
def full(sweepable: Sweepable) -> Sweepable:
    """A store with something of every kind to sweep."""
    sweepable.retired()
    sweepable.package_set("alpha")
    pinned = sweepable.package_set("beta")
    sweepable.publish("other", packages=pinned)
    sweepable.publish("gone")
    sweepable.run("delete-model", model="gone")
    sweepable.sweep(1.1)
    sweepable.publish()
    sweepable.publish()
    sweepable.run("retire", version=3)
    with Staging(sweepable.layout) as staging:
        sweepable.place(staging)
        sweepable.place(staging, "never-committed")
    (sweepable.layout.root / "staging" / new_id()).mkdir()
    (sweepable.layout.root / "trash" / new_id() / "inner").mkdir(parents=True)
    return sweepable


def test_it_changes_nothing_and_says_what_sweeping_then_does(full: Sweepable) -> None:
    before = snapshot(full.layout.root)
    would = full.sweep(2.2, dry_run=True)
    assert snapshot(full.layout.root) == before
    did = full.sweep(2.2)
    assert did["failures"] == []
    # Taking a model away adds a last generation to what is deleted.
    assert 0 < would["freed_bytes"] < did["freed_bytes"] < would["freed_bytes"] + 4096
    assert would == {**did, "dry_run": True, "freed_bytes": would["freed_bytes"]}
    assert len(did["deleted"]) == 1
    assert len(did["folders"]) == 6
    assert len(did["packages"]) == 1


def test_the_verb_takes_dry_run_and_nothing_else(full: Sweepable) -> None:
    before = snapshot(full.layout.root)
    found = run_operation("sweep", full.opened, {"dry_run": True})
    assert found["dry_run"] is True
    assert found["failures"] == []
    assert snapshot(full.layout.root) == before
    assert run_operation("sweep", full.opened, {})["deleted"] == [], "nothing is a day old"
    for fields in ({"model": "adder"}, {"dry_run": 1}):
        with pytest.raises(RequestError):
            run_operation("sweep", full.opened, fields)
