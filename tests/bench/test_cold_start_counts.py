"""File system calls of a cold start of the real handler, compared with their budget."""

from __future__ import annotations

import json
import shutil
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from bench.cold_cases import infer_event
from bench.cold_runs import run
from bench.efs_stand_in import Options
from model_store.chunks import CHUNK_BYTES
from model_store.layout import GOLDEN
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.support.lookup_model import LOOKED_UP, LOOKUP, RECORDED, write_lookup_model

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.cold_runs import Run

pytestmark = pytest.mark.slow

BUDGETS = Path(__file__).resolve().parent.parent / "budgets.toml"
OPTIONS = Options(metadata_ms=0, read_ms=20, trace=True)
"""With slow reads: the process ends before it has read much of what comes behind the answer."""
OPENED_BEHIND = ("weights.bin",)
"""Opened again behind the answer, if the process lives so long."""
READ_AHEAD_BYTES = OPTIONS.read_ahead_kib << 10


@pytest.fixture(scope="module")
def started() -> Iterator[Run]:
    """One cold start of a model of 41 MB, of which a call touches 17."""
    folder = Path(tempfile.mkdtemp(prefix="coldpress-counts-"))
    try:
        write_lookup_model(folder / LOOKUP)
        (folder / "mount").mkdir()
        publish(folder / LOOKUP, folder / "source" / "store", progress=Silent())
        event = infer_event(LOOKUP, {"ids": np.array(LOOKED_UP, np.int64)})
        (folder / "event.json").write_text(json.dumps(event), "utf-8")
        environ = {"STORE_PATH": str(folder / "mount" / "store"), "PRELOAD_MODELS": LOOKUP}
        arguments = [str(folder / "event.json")]
        yield run("ours", arguments, folder / "source", folder / "mount", OPTIONS, environ)
    finally:
        shutil.rmtree(folder)


def budget() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(BUDGETS.read_text("utf-8"))["cold_start"]
    return found


def test_it_opens_and_asks_no_more_than_its_budget_and_lists_nothing(started: Run) -> None:
    assert started.counts["opendir"] == started.counts["readdir"] == 0
    # Golden cases run behind the answer, if the process lives so long.
    calls = [kind for kind, *paths in started.calls if not any(GOLDEN in each for each in paths)]
    assert calls.count("open") - len(OPENED_BEHIND) <= budget()["opens"]
    metadata = calls.count("lookup") + calls.count("getattr") + calls.count("open")
    assert metadata <= budget()["metadata_calls"]


def test_of_the_weights_it_reads_what_was_recorded_and_each_byte_once(started: Run) -> None:
    [weights] = {path for path, _, _ in started.reads if path.endswith("weights.bin")}
    touched = {number for first, count in RECORDED for number in range(first, first + count)}
    wanted = np.zeros(10 * CHUNK_BYTES, np.bool_)
    for number in touched:
        wanted[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES] = True
    read = np.zeros_like(wanted)
    for path, start, size in started.reads:
        if path == weights:
            read[start : start + size] = True
    assert not (wanted & ~read).any()
    # Behind each range, what is read ahead; behind the answer, a few reads of the rest.
    assert (read & ~wanted).sum() <= 2 * len(RECORDED) * READ_AHEAD_BYTES
    others = sum(size for path, _, size in started.reads if path != weights)
    assert started.counts["read_bytes"] - others <= read.sum()
    assert others <= budget()["other_bytes"]
