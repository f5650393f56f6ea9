"""Peak memory of a cold start, relative to the size of its model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from bench.cold_cases import infer_event
from bench.cold_runs import ROOT, run
from bench.efs_stand_in import Options
from bench.heavy_model import LAYER_BYTES, WIDTH, write_heavy_model
from model_sync.progress import Silent
from model_sync.publishing.publish import publish

pytestmark = pytest.mark.slow

LAYERS = 48
SIZE_MB = LAYERS * LAYER_BYTES / 1e6
OPTIONS = Options(metadata_ms=0, read_ms=0, write_ms=0, bandwidth_mib_s=0)
IMPORTED = """
import inference.predict_function
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
"""


def imported_mb(store: Path) -> float:
    """Return the peak memory of a process that imports everything and loads no model."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "STORE_PATH": str(store)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], env=environ, capture_output=True, text=True, check=True
    )
    return int(done.stdout) * 1024 / 1e6


def test_a_cold_start_takes_at_most_115_percent_of_its_models_size_and_the_naive_way_more() -> None:
    folder = Path(tempfile.mkdtemp(prefix="coldpress-peak-"))
    try:
        source, mount = folder / "source", folder / "mount"
        mount.mkdir()
        write_heavy_model(folder / "heavy" / "model.onnx", layers=LAYERS)
        publish(folder / "heavy", source / "store", progress=Silent())
        shutil.copy2(folder / "heavy" / "model.onnx", source / "naive.onnx")
        feed = {"x": np.ones((1, WIDTH), np.float32)}
        np.savez(folder / "inputs.npz", allow_pickle=False, **feed)
        (folder / "event.json").write_text(json.dumps(infer_event("heavy", feed)), "utf-8")
        environ = {"STORE_PATH": str(mount / "store"), "PRELOAD_MODELS": "heavy"}
        ours = run("ours", [str(folder / "event.json")], source, mount, OPTIONS, environ)
        graph, inputs = str(mount / "naive.onnx"), str(folder / "inputs.npz")
        naive = run("naive", [graph, inputs, "1"], source, mount, OPTIONS, {})
        base_mb = imported_mb(source / "store")
        assert ours.peak_mb - base_mb <= 1.15 * SIZE_MB
        assert naive.peak_mb - base_mb > 1.15 * SIZE_MB
    finally:
        shutil.rmtree(folder)
