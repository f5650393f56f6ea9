"""Fixture for measuring the cold starts of one model: its graph, its store, a call's inputs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from bench.cold_models import MODELS
from bench.events import http_event
from inference.loading.session_threads import MEMORY_VARIABLE, environment_threads
from inference.protocol.datatypes import DTYPES
from model_sync.progress import Silent
from model_sync.publishing.publish import publish

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.cold_models import Feed
    from inference.local.fleet.cgroups import Limits

ROOT: Final = Path(__file__).resolve().parent.parent
CACHE: Final = ROOT / ".cache" / "cold_models"
_COPIES: Final = 3
"""Copies of a model on disk: published, staged, and prepared."""


class Case:
    """One model, published into a store inside `folder`. Constructing a case may take a minute.

    Mount `folder / "source"`: it holds the store, and the graph for a handler that reads no store.
    The calls' inputs are outside of it.
    """

    def __init__(self, name: str, folder: Path, limits: Limits | None = None) -> None:
        self.name: Final = name
        self.limits: Final = limits
        self.source: Final = folder / "source"
        self.mountpoint: Final = folder / "mount"
        self.inputs: Final = folder / f"{name}.npz"
        self.event: Final = folder / f"{name}.json"
        self.ranges: Final = folder / f"{name}.ranges.json"
        for each in (self.source / "naive", self.mountpoint):
            each.mkdir(parents=True, exist_ok=True)
        feed = MODELS[name].feed()
        np.savez(self.inputs, allow_pickle=False, **feed)
        self.event.write_text(json.dumps(infer_event(name, feed)), "utf-8")
        graph = self._publish(folder / name)
        self.size_bytes: Final = graph.stat().st_size
        os.link(graph, self.source / "naive" / f"{name}.onnx")

    @property
    def graph(self) -> Path:
        """Path of the graph on the mount, for a handler that reads no store."""
        return self.mountpoint / "naive" / f"{self.name}.onnx"

    @property
    def threads(self) -> int:
        """Number of threads of a session, the same in each of the ways."""
        memory_mb = self.limits.memory_mb if self.limits else None
        return environment_threads({MEMORY_VARIABLE: str(memory_mb or "")})

    @property
    def environ(self) -> dict[str, str]:
        """Settings of the function, as in a deployed stage."""
        return {
            "STORE_PATH": str(self.mountpoint / "store"),
            "DEFAULT_MODEL": self.name,
            "PRELOAD_MODELS": self.name,
        }

    def _publish(self, recipe: Path) -> Path:
        model = MODELS[self.name]
        if model.write_graph is None:
            publish(ROOT / "models" / self.name, self.source / "store", progress=Silent())
            shutil.copy2(ROOT / "models" / self.name / "build" / "model.onnx", recipe)
            return recipe
        graph = model.write(CACHE, self.name)
        recipe.mkdir()
        os.link(graph, recipe / "model.onnx")
        text = f'name = "{self.name}"\n\n[model]\nfile = "model.onnx"\n'
        (recipe / "model.toml").write_text(text, "utf-8")
        publish(recipe, self.source / "store", progress=Silent())
        return graph


def infer_event(name: str, feed: Feed) -> dict[str, Any]:
    """Return an inference event whose tensors are binary, in the request and in the response."""
    datatypes = {np.dtype(dtype): datatype for datatype, dtype in DTYPES.items()}
    inputs = [
        {
            "name": tensor,
            "datatype": datatypes[values.dtype],
            "shape": values.shape,
            "parameters": {"binary_data_size": values.nbytes},
        }
        for tensor, values in feed.items()
    ]
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    body = head + b"".join(values.tobytes() for values in feed.values())
    event = http_event(f"/v2/models/{name}/infer", body, "application/octet-stream")
    event["headers"]["inference-header-content-length"] = str(len(head))
    return event


def missing_space(names: Iterable[str]) -> str | None:
    """Return a one-line message if disk space for these models is missing, else None."""
    needed = sum(
        MODELS[name].size_bytes * (_COPIES + (not (CACHE / f"{name}.onnx").exists()))
        for name in names
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(CACHE).free
    if free >= needed:
        return None
    return f"{CACHE} has {free / 1e9:.1f} GB free, and {needed / 1e9:.1f} GB are needed"
