"""The processes themselves, over a stand-in without delays: they answer, and tell what they did."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.cold_cases import infer_event
from bench.cold_models import text
from bench.cold_models.bert import BertSizes, write_bert
from bench.cold_runs import run
from bench.efs_stand_in import Options
from model_sync.progress import Silent
from model_sync.publishing.publish import publish

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

OPTIONS = Options(metadata_ms=0, read_ms=0, write_ms=0, bandwidth_mib_s=0, trace=True)
SIZES = BertSizes(layers=1, width=64, heads=4, words=100, positions=32)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not below pytest's own folders, which others clean up: it holds a mount."""
    made = Path(tempfile.mkdtemp(prefix="coldpress-cold-"))
    try:
        for name in ("source/store", "mount", "model"):
            (made / name).mkdir(parents=True)
        write_bert(made / "model" / "model.onnx", SIZES)
        shutil.copy2(made / "model" / "model.onnx", made / "source" / "naive.onnx")
        (made / "model" / "model.toml").write_text('name = "bert"\n[model]\nfile = "model.onnx"\n')
        (made / "source" / "store").rmdir()
        publish(made / "model", made / "source" / "store", progress=Silent())
        feed = text(SIZES.words, 16)
        np.savez(made / "inputs.npz", allow_pickle=False, **feed)
        (made / "event.json").write_text(json.dumps(infer_event("bert", feed)))
        yield made
    finally:
        shutil.rmtree(made)


def test_ours_and_the_naive_way_answer_the_same_and_the_floor_reads_what_ours_read(
    folder: Path,
) -> None:
    source, mount = folder / "source", folder / "mount"
    graph, inputs = str(mount / "naive.onnx"), str(folder / "inputs.npz")
    naive = run("naive", [graph, inputs, "1"], source, mount, OPTIONS, {})
    environ = {"STORE_PATH": str(mount / "store"), "PRELOAD_MODELS": "bert"}
    ours = run("ours", [str(folder / "event.json")], source, mount, OPTIONS, environ)
    np.testing.assert_allclose(naive.answer["values"], ours.answer["values"], atol=1e-4)
    assert {path for path, _, _ in naive.reads} == {"naive.onnx"}
    assert naive.phases_ms.keys() == {"Python starts", "imports", "session", "first answer"}
    assert "session" in ours.phases_ms
    assert min(naive.peak_mb, ours.peak_mb) > 10

    ranges = [(str(mount / path), start, size) for path, start, size in ours.reads]
    (folder / "ranges.json").write_text(json.dumps(ranges))
    arguments = ["4", str(folder / "ranges.json")]
    floor = run("floor", arguments, source, mount, OPTIONS, {})
    assert floor.reads == ours.reads
    assert floor.answer["read_bytes"] == sum(size for _, _, size in ours.reads)


def test_a_process_that_fails_is_no_measurement_and_leaves_no_mount(folder: Path) -> None:
    arguments = [str(folder / "mount" / "missing.onnx"), str(folder / "inputs.npz"), "1"]
    with pytest.raises(RuntimeError, match=r"naive\.py"):
        run("naive", arguments, folder / "source", folder / "mount", OPTIONS, {})
    assert not (folder / "mount").is_mount()
