"""Reads that an entry point begins before the heavy imports, and the load that uses them."""

from __future__ import annotations

import os
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import onnxruntime
import pytest

from inference.errors import LoadError, NoMemoryError
from inference.loading.early_reads import EarlyReads, begin, installed_version
from inference.loading.loader import RUNTIME, load_version
from inference.loading.prefetch import begin_prefetch
from inference.serving.refs_watch import RefsWatch
from inference.settings import Verify
from model_store import reading
from model_store.layout import StoreLayout
from model_store.refs import State
from tests.support.damage import flip_a_byte
from tests.support.stores import (
    ADDER,
    entry_of,
    point_latest,
    publish_adder,
    refs_of,
    set_state,
    version_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.memory_need import Need
    from inference.loading.prefetch import Prefetch
    from inference.loading.variant_files import VariantFiles

pytestmark = pytest.mark.store_of("one_version")

GRAPH = "source/model.onnx"


def _early(store: Path, *models: str, runtime: str = RUNTIME) -> EarlyReads:
    early = EarlyReads()
    early.read(StoreLayout(store), models or (ADDER,), runtime, Verify.CHUNKS)
    return early


def test_the_version_that_an_import_would_find_is_read_without_importing() -> None:
    assert installed_version() == onnxruntime.__version__


def test_where_nothing_is_preloaded_no_thread_is_started(store: Path) -> None:
    root = {"STORE_PATH": str(store)}
    for environ in ({}, root, {"PRELOAD_MODELS": ADDER}, root | {"PRELOAD_MODELS": " , "}):
        before = threading.active_count()
        begin(environ)
        assert threading.active_count() == before
    assert begin(root | {"PRELOAD_MODELS": ADDER, "VERIFY": "x"}).take_seen(ADDER) is None


def test_what_was_begun_is_what_is_loaded_and_manifests_are_read_once(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early, entry = _early(store), entry_of(store, 1)

    def never(*_: object) -> None:
        pytest.fail("a manifest was read again")

    monkeypatch.setattr("inference.loading.load_plan.read_version", never)
    loaded = load_version(StoreLayout(store), ADDER, 1, entry, take_reads=early.take_reads)
    assert loaded.number == 1
    assert early.take_reads(entry, RUNTIME) is None  # it is taken once


def test_what_was_begun_for_another_runtime_or_version_is_nobodys(store: Path) -> None:
    early, entry = _early(store, runtime="ort-0.0.1-x86_64-p4"), entry_of(store, 1)
    assert early.take_reads(entry, RUNTIME) is None
    publish_adder(store, 2.0)
    early = _early(store)
    assert early.take_reads(entry, RUNTIME) is None
    assert early.take_reads(entry_of(store, 2), RUNTIME) is not None


def test_what_a_load_asked_for_first_is_not_begun_again(store: Path) -> None:
    early, entry = EarlyReads(), entry_of(store, 1)
    assert early.take_reads(entry, RUNTIME) is None
    early.read(StoreLayout(store), [ADDER], RUNTIME, Verify.CHUNKS)
    assert early.take_reads(entry, RUNTIME) is None


def test_what_is_damaged_fails_the_load_and_the_next_one_reads_anew(store: Path) -> None:
    path = version_folder(store, 1) / GRAPH
    flip_a_byte(path)
    early = _early(store)
    load = partial(
        load_version, StoreLayout(store), ADDER, 1, entry_of(store, 1), take_reads=early.take_reads
    )
    with pytest.raises(LoadError, match="is damaged"):
        load()
    flip_a_byte(path)
    assert load().number == 1


def test_what_cannot_be_read_is_left_to_the_load(store: Path, tmp_path: Path) -> None:
    assert (
        _early(store, "nobody", "../x", ADDER).take_reads(entry_of(store, 1), RUNTIME) is not None
    )
    assert _early(tmp_path / "no store").take_seen(ADDER) is None


def test_refs_that_were_read_early_are_a_first_look_for_as_long_as_they_are_believed(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = _early(store)
    reads: list[str] = []
    refresh = reading.refresh

    def counted(layout: StoreLayout, model: str, *arguments: object, **options: object) -> object:
        reads.append(model)
        return refresh(layout, model, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("inference.serving.refs_watch.refresh", counted)
    watch = RefsWatch(StoreLayout(store), ref_ttl_s=3600, take_seen=early.take_seen)
    assert watch.look(ADDER).refs == refs_of(store)
    assert watch.look(ADDER).upward_at.elapsed_s(watch.look(ADDER).checked_at) == 0
    assert not reads
    impatient = RefsWatch(StoreLayout(store), ref_ttl_s=0, take_seen=_early(store).take_seen)
    publish_adder(store, 2.0)
    assert impatient.look(ADDER).refs == refs_of(store)
    assert reads == [ADDER]


def test_a_model_without_latest_and_one_that_is_retired_begin_nothing(store: Path) -> None:
    publish_adder(store, 2.0)
    point_latest(store, 1)
    set_state(store, 1, State.RETIRED)
    early = _early(store)
    assert early.take_seen(ADDER) is not None
    assert early.take_reads(entry_of(store, 1), RUNTIME) is None


def test_a_model_that_is_named_twice_is_read_once(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[VariantFiles] = []

    def noted(form: VariantFiles, verify: Verify) -> Prefetch:
        begun.append(form)
        return begin_prefetch(form, verify)

    monkeypatch.setattr("inference.loading.load_plan.begin_prefetch", noted)
    assert _early(store, ADDER, ADDER).take_reads(entry_of(store, 1), RUNTIME) is not None
    assert len(begun) == 1


def test_a_version_without_room_is_read_no_further(store: Path) -> None:
    entry = entry_of(store, 1)
    begun = _early(store).take_reads(entry, RUNTIME)
    assert begun is not None

    def no_room(_: Need) -> None:
        raise NoMemoryError("no room")

    with pytest.raises(NoMemoryError):
        load_version(StoreLayout(store), ADDER, 1, entry, no_room, take_reads=lambda *_: begun)
    with pytest.raises(InterruptedError):
        begun.prefetch.wait()


def test_one_models_readers_come_after_anothers(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_adder(store, 1.0, name="other")
    begun: list[Prefetch] = []
    left: list[int] = []

    def begin_one(form: VariantFiles, verify: Verify) -> Prefetch:
        left.append(sum(len(each._left) for each in begun))
        begun.append(begin_prefetch(form, verify))
        return begun[-1]

    preadv = os.preadv

    def slow(*arguments: Any) -> int:
        time.sleep(0.05)
        return preadv(*arguments)

    monkeypatch.setattr(os, "preadv", slow)
    monkeypatch.setattr("inference.loading.load_plan.begin_prefetch", begin_one)
    _early(store, ADDER, "other")
    assert left == [0, 0]
