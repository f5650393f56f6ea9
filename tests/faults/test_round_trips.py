"""Exact number of round trips to EFS by the verbs and the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference.loading.loader import load_version
from inference.process.background import Background
from inference.serving.manager import Manager
from model_store.layout import StoreLayout
from tests.faults.mounted_stores import MountedStore, write_models
from tests.support.stores import ADDER
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from pathlib import Path

    from bench.efs_stand_in import Counts, EfsStandIn

pytestmark = pytest.mark.slow

WRITING = ("create", "write", "mkdir", "rename", "link", "unlink", "rmdir", "setattr", "fsync")


@pytest.fixture
def mounted_store(efs: EfsStandIn, tmp_path: Path) -> MountedStore:
    """A store of two versions on a mount of which nothing is cached."""
    store = MountedStore(efs, tmp_path)
    for constant in (1.0, 2.0):
        assert store.publish(constant).code == 0
    efs.restart()
    return store


def manager_of(store: MountedStore, background: Background | None = None) -> Manager:
    layout = StoreLayout(store.path)
    return Manager(layout, ref_ttl_s=0.0, load=load_version, background=background or Background())


def test_a_warm_check_of_refs_is_two_opens_and_nothing_else(mounted_store: MountedStore) -> None:
    background = Background()
    manager = manager_of(mounted_store, background)
    for _ in range(2):
        assert manager.resolve(ADDER).loaded.number == 2
    assert background.wait(DEADLINE_S)  # golden cases are read after a cold start
    mounted_store.efs.reset()
    for _ in range(10):
        manager.resolve(ADDER)
    counts = mounted_store.efs.counts()
    assert counts["open"] == 20
    # Cached names and attributes may expire during the call and be asked for again.
    assert counts.round_trips - counts["lookup"] - counts["getattr"] == 20
    assert counts["read"] == 0


def test_a_cold_start_reads_each_byte_once_and_lists_nothing(mounted_store: MountedStore) -> None:
    background = Background()
    assert manager_of(mounted_store, background).resolve(ADDER).loaded.number == 2
    assert background.wait(DEADLINE_S)  # golden cases are read after the first answer
    counts = mounted_store.efs.counts()
    assert counts["opendir"] == counts["readdir"] == 0
    # Of these, four opens are after the first answer: refs again, and the golden case's files.
    assert counts["open"] <= 14
    assert counts["read"] <= 8
    assert counts.round_trips <= 56
    read = sum(path.stat().st_size for path in mounted_store.beneath.rglob("*") if path.is_file())
    assert 0 < counts["read_bytes"] < read
    assert {operation: counts[operation] for operation in WRITING} == dict.fromkeys(WRITING, 0)


def test_publishing_what_is_published_writes_nothing_and_stays_within_its_budget(
    mounted_store: MountedStore,
) -> None:
    before = mounted_store.refs()
    assert "unchanged" in mounted_store.publish(2.0).out
    assert mounted_store.refs() == before
    counts = mounted_store.efs.counts()
    # STORE.json, the version's manifest, its preparation's; and twice, for settling begins and ends
    # it, refs.json and the generation after it.
    assert counts["open"] <= 7
    assert counts.round_trips <= 40
    assert {operation: counts[operation] for operation in WRITING} == dict.fromkeys(WRITING, 0)


@pytest.mark.parametrize("verb", ["promote", "rollback"])
def test_moving_a_label_stays_within_its_budget(mounted_store: MountedStore, verb: str) -> None:
    done = (
        mounted_store.run("promote", ADDER, "1")
        if verb == "promote"
        else mounted_store.run(verb, ADDER)
    )
    assert (done.code, mounted_store.latest()) == (0, 1), done.err
    counts = mounted_store.efs.counts()
    assert counts.round_trips <= 90
    # One link commits; the other and the rename install it as refs.json.
    assert (counts["link"], counts["rename"], counts["create"], counts["fsync"]) == (2, 1, 1, 1)


def cost_of_list(efs: EfsStandIn, tmp_path: Path, models: int, versions: int) -> Counts:
    store = MountedStore(efs, tmp_path)
    write_models(store.beneath, models, versions)
    efs.restart()
    done = store.run("list", "--json")
    assert done.out.count('"published_at"') == models * versions
    return efs.counts()


def test_listing_costs_a_few_calls_a_model_however_many_versions_it_has(
    efs: EfsStandIn, tmp_path: Path
) -> None:
    # Counted on caches that last: with none, every component of every path is asked for.
    few = cost_of_list(efs, tmp_path, 5, 20)
    many = cost_of_list(efs, tmp_path, 50, 20)
    young = cost_of_list(efs, tmp_path, 5, 2)
    a_model = (many.round_trips - few.round_trips) / 45
    assert a_model <= 8
    assert few.round_trips - young.round_trips <= 5  # a longer refs.json, not another file
    assert (many["open"] - few["open"]) / 45 <= 2
