"""Real models of a few bytes, whose answers tell which version gave them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from inference.batch.versions import load_latest
from inference.loading.loader import load_version
from inference.serving.manager import Manager
from model_store.layout import StoreLayout
from tests.support.models import adder_request
from tests.support.stores import publish_adder

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion

ADDER: Final = "adder"
"""y = x + constant, by the Open Inference Protocol."""

PLUS: Final = "plus"
"""The same by a pipeline: {"x": [a, b]} to {"y": [a + constant, b + constant]}, and more."""

PLUS_PIPELINE: Final = """
import json
import time
from pathlib import Path

import numpy

from inference.pipeline import Response


def decode(request):
    document = json.loads(request.body)
    if "wait_for" in document:  # how a test holds a record back
        Path(document["tell"]).touch()
        deadline = time.monotonic() + 60
        while not Path(document["wait_for"]).exists():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.002)
    if "x" not in document:
        raise ValueError("it has no 'x'")
    return {"x": numpy.array([document["x"]], numpy.float32)}


def encode(outputs, request):
    document = json.loads(request.body)
    form = document.get("form")
    if form == "text":
        return "two\\nlines"
    if form == "bytes":
        return b"\\x00\\xff"
    if form == "spread":
        return Response(json.dumps({"y": [1.0, 2.5]}, indent=2), "application/json")
    if form == "no json":
        return Response("{", "application/json; charset=utf-8")
    if form == "no text":
        return "\\ud800"
    if form == "echo":
        return document
    return {"y": outputs["y"][0].tolist(), "content_type": request.content_type}
"""

BYTES: Final = "bytes"
"""Any object at all: {"size": its bytes, "content_type": ...}."""

BYTES_PIPELINE: Final = """
import numpy


def decode(request):
    return {"x": numpy.zeros((1, 2), numpy.float32)}


def encode(outputs, request):
    return {"size": len(request.body), "content_type": request.content_type}
"""

PIPELINES: Final = {ADDER: None, PLUS: PLUS_PIPELINE, BYTES: BYTES_PIPELINE}


def publish_model(store: Path, name: str, constant: float = 10.0, *, preface: str = "") -> int:
    """Publish one of the models above, code put before its pipeline's; returns the version."""
    pipeline = PIPELINES[name]
    if pipeline is not None:
        pipeline = preface + pipeline
    return publish_adder(store, constant, name=name, pipeline=pipeline).version


def load(store: Path, name: str) -> LoadedVersion:
    """Load a model's newest version."""
    manager = Manager(StoreLayout(store), ref_ttl_s=0.0, load=load_version)
    return load_latest(manager, name)


def lines_of(*documents: object) -> bytes:
    """Write JSON Lines."""
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def read_lines(data: bytes) -> list[Any]:
    """Read JSON Lines; every line must have its end."""
    assert data.endswith(b"\n") or not data
    return [json.loads(line) for line in data.split(b"\n")[:-1]]


def add_up(*x: float) -> dict[str, object]:
    """A record for ADDER."""
    return adder_request([*x])
