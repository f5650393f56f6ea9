"""The stores that the page is shown: one with a model for each thing, and awkward ones."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from onnx import TensorProto

from model_store.refs import State
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from model_sync.store_io.create_store import open_store
from tests.support.damage import flip_a_byte
from tests.support.models import write_identities, write_identity
from tests.support.places import ROOT
from tests.support.stores import (
    STEP,
    commit,
    publish_adder,
    publish_folder,
    set_state,
    version_folder,
)

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.refs import Refs


MANY = 240

LONGEST_NAME = "a-name-as-long-as-a-name-may-be-" + "x" * 32
MIXED = "mixed"
"""Version 1 has a pipeline, version 2 has none: they are called in different ways."""

LONGEST_TENSOR = "/model/" + "encoder.layer.11.attention." * 8 + "output"

MARKUP = '<img src="nowhere" onerror="document.title = \'it ran\'"><script>alert(1)</script>'

WHOLE = '{"n": 9007199254740993, "f": 1.50, "s": "a\\"b"}'
"""JSON whose values are not what JavaScript would write."""

TYPES = {
    "BOOL": TensorProto.BOOL,
    "UINT8": TensorProto.UINT8,
    "UINT64": TensorProto.UINT64,
    "INT8": TensorProto.INT8,
    "INT64": TensorProto.INT64,
    "FP16": TensorProto.FLOAT16,
    "FP32": TensorProto.FLOAT,
    "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}

ECHO = f"""
import struct
import zlib
import numpy
from inference.pipeline import Response

MARKUP = {MARKUP!r}
WHOLE = {WHOLE!r}

def chunk(kind, data):
    whole = kind + data
    return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

def png(size):
    rows = b"".join(
        b"\\0" + b"".join(bytes((x * 255 // size, 120, y * 255 // size)) for x in range(size))
        for y in range(size)
    )
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", header) + chunk(
        b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")

ANSWERS = {{
    "markup": lambda: MARKUP,
    "html": lambda: Response(MARKUP, "text/html"),
    "svg": lambda: Response(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 4 4" width="40" height="40">'
        '<script>top.document.title = "it ran"</script><rect width="4" height="4"/></svg>',
        "image/svg+xml",
    ),
    "png": lambda: Response(png(96), "image/png"),
    "no png": lambda: Response(b"\\x89PNG", "image/png"),
    "bytes": lambda: bytes(range(256)) * 8,
    "whole": lambda: Response(WHOLE, "application/json"),
    "long": lambda: "word " * 100_000,
    "nothing": lambda: "",
    "wide": lambda: {{"vector": numpy.linspace(0, 1, 384, dtype=numpy.float32)}},
}}

def decode(request):
    if request.body == b"no":
        raise ValueError("no " + MARKUP)
    return {{"x": numpy.ones((1, 2), numpy.float32)}}

def encode(outputs, request):
    answer = ANSWERS.get(request.parameters.get("answer"))
    if answer:
        return answer()
    return {{
        "body": request.body.decode(errors="replace"),
        "content_type": request.content_type,
        "size": len(request.body),
        "scores": [{{"label": "first", "score": 0.75}}, {{"label": MARKUP, "score": 0.25}}],
    }}
"""


def make_page_store(store: Path) -> None:
    """Make a store with a model for each thing that is asked for; of `adder`, 4 versions."""
    sources = store.parent / "sources"
    for number in (1, 2, 3, 4):
        publish_adder(store, number * STEP)
    set_state(store, 1, State.RETIRED)
    commit(store, "adder", _labelled)
    publish_adder(store, 1.0, name="echo", pipeline=ECHO)
    publish_adder(store, 1.0, name=MIXED, pipeline=ECHO)
    publish_adder(store, 1.0, name=MIXED)
    publish_adder(store, 1.0, name="broken")
    flip_a_byte(version_folder(store, 1, "broken") / "source/model.onnx")
    write_identities(sources / "types", TYPES)
    publish_folder(store, sources / "types")
    write_identities(sources / "bfloat", {"BF16": TensorProto.BFLOAT16, "FP32": TensorProto.FLOAT})
    publish_folder(store, sources / "bfloat")
    write_identity(sources / "picture", TensorProto.FLOAT, shape=[1, 3, 224, 224])
    publish_folder(store, sources / "picture")
    write_identities(sources / LONGEST_NAME, {LONGEST_TENSOR: TensorProto.FLOAT})
    publish_folder(store, sources / LONGEST_NAME)


def add_magika(store: Path) -> None:
    """Publish a real model, whose answers the page shows; this takes seconds."""
    publish(ROOT / "models" / "magika", store, progress=Silent())


def make_empty_store(store: Path) -> None:
    """Make a store in which nothing is published."""
    open_store(store)


def make_store_of_many(store: Path) -> None:
    """Make a store with `adder`, and MANY copies of it by other names."""
    publish_adder(store, 1.0)
    models = store / "models"
    for number in range(MANY):
        name = f"classifier-{number:03}"
        shutil.copytree(models / "adder", models / name)


def _labelled(refs: Refs) -> Refs:
    labels = {"latest": 3, "stable": 2, "canary": 4}
    return refs._replace(labels=labels, split={"canary": 10})
