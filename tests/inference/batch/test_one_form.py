"""A batch is answered by one variant of a version: a server's final one, if memory allows it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Final

import pytest

from inference.batch.handler import BatchHandler
from inference.batch.settings import BatchSettings
from inference.batch.versions import BASE_BYTES, load_latest
from inference.loading.memory_need import RESERVED_BYTES
from inference.settings import Settings
from tests.inference.background import wait_until_idle
from tests.inference.batch.buckets import Context, failed_messages, handler_of, sqs_event
from tests.inference.replaceable import (
    MAPPED,
    MODEL,
    PACKED,
    PACKED_NEED,
    X,
    prepared_folder,
    publish_replaceable,
    variant,
)
from tests.support.damage import flip_a_byte
from tests.support.events import message
from tests.support.places import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from inference.serving.manager import Manager
    from tests.inference.batch.buckets import Buckets

DEADLINE_S: Final = 60.0
RECORD: Final = json.dumps(X[0].tolist()).encode()
MB: Final = 1 << 20


@pytest.fixture(scope="module")
def replaceable(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of one model, which a server starts mapped and goes on with packed."""
    store = tmp_path_factory.mktemp("replaceable") / "store"
    publish_replaceable(store)
    return store


@pytest.fixture
def damaged_store(replaceable: Path, tmp_path: Path) -> Path:
    """Return a copy of the store in which the variant that a server starts with is damaged."""
    copy = tmp_path / "store"
    shutil.copytree(replaceable, copy)
    flip_a_byte(prepared_folder(copy) / MAPPED / "weights.bin")
    return copy


def manager_of(settings: Settings, buckets: Buckets) -> Manager:
    return BatchHandler(BatchSettings(settings, buckets.outputs), buckets.s3)._manager


def test_every_object_is_answered_by_the_form_in_which_a_server_ends(
    damaged_store: Path, buckets: Buckets
) -> None:
    handler = handler_of(damaged_store, buckets)
    for number in range(3):
        event = sqs_event(message(buckets.put(f"{MODEL}/{number}.json", RECORD)))
        assert failed_messages(handler(event, Context())) == []
        wait_until_idle(handler._manager)
    assert variant(handler._manager) == PACKED
    outputs = [buckets.output(f"{MODEL}/1/{number}.json.out") for number in range(3)]
    assert len({*outputs}) == 1
    [counted] = handler._manager.stats.describe(MODEL)
    assert (counted["loads"], counted["replacements"]) == (1, 0)


def test_so_it_is_on_the_command_line(damaged_store: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.json").write_bytes(RECORD)
    places = [MODEL, str(tmp_path / "in"), str(tmp_path / "out"), "--store", str(damaged_store)]
    done = subprocess.run(
        [sys.executable, "-m", "inference", "batch", *places],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("limit", ["memory_budget_mb", "function_memory_mb"])
@pytest.mark.parametrize(("spare_mb", "form"), [(0, MAPPED), (1, PACKED)])
def test_what_the_function_has_of_memory_decides_and_nothing_replaces_it(
    replaceable: Path, buckets: Buckets, limit: str, spare_mb: int, form: str
) -> None:
    beside = BASE_BYTES + RESERVED_BYTES if limit == "function_memory_mb" else 0
    most_mb = (PACKED_NEED.peak_bytes + beside) // MB + spare_mb
    settings = (
        Settings(replaceable, ref_ttl_s=0.0, function_memory_mb=most_mb)
        if beside
        else Settings(replaceable, ref_ttl_s=0.0, memory_budget_mb=most_mb)
    )
    manager = manager_of(settings, buckets)
    for _ in range(3):
        assert load_latest(manager, MODEL).variant == form
        wait_until_idle(manager)
    assert variant(manager) == form
