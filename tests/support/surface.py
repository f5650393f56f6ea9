"""A store with a model for each thing that the surface can answer."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from onnx import TensorProto

from model_store.refs import State
from tests.support.damage import flip_a_byte
from tests.support.models import write_identity, write_reciprocal, write_sum, write_zeros
from tests.support.stores import publish_adder, publish_folder, set_state, version_folder

if TYPE_CHECKING:
    from pathlib import Path

ECHO = """
import base64
import sys
import numpy
from inference.pipeline import Response

ANSWERS = {
    "text": lambda: "h\\u00e9llo",
    "bytes": lambda: b"\\x00\\xff",
    "html": lambda: Response("<b>", "text/html"),
    "png": lambda: Response(b"\\x89PNG", "image/png"),
    "json bytes": lambda: Response(b'{"a": 1}', "application/json"),
    "json text": lambda: Response('{"a": 1}', "application/json"),
    "numpy": lambda: {"n": numpy.int64(7), "y": numpy.ones(2, numpy.float32)},
    "nan": lambda: {"score": float("nan")},
    "no json": lambda: object(),
    "no body": lambda: Response(5, "text/plain"),
    "no type": lambda: Response("a", 5),
    "no utf-8": lambda: "\\ud800",
    "raise": lambda: {}["a secret key"],
    "exit": lambda: sys.exit(3),
}

def decode(request):
    how = request.parameters.get("decode")
    if how == "refuse":
        raise ValueError("not a picture")
    if how == "raise":
        raise KeyError("a secret key")
    if how == "nothing":
        return None
    if how == "misfit":
        return {}
    if how == "exit":
        sys.exit(3)
    return {"x": numpy.ones((1, 2), numpy.float32)}

def encode(outputs, request):
    how = request.parameters.get("encode")
    if how in ANSWERS:
        return ANSWERS[how]()
    if how == "big":
        return request.parameters["unit"] * int(request.parameters["times"])
    return {
        "body": base64.b64encode(request.body).decode(),
        "content_type": request.content_type,
        "parameters": dict(request.parameters),
        "y": outputs["y"],
    }
"""


def make_surface(published: Path, store: Path) -> None:
    """Make the store: see the models' names for what each is."""
    shutil.copytree(published, store)
    set_state(store, 1, State.RETIRED)
    sources = store.parent / "sources"
    publish_adder(store, 1.0, name="echo", pipeline=ECHO)
    write_identity(sources / "words", TensorProto.STRING, shape=["n"])
    publish_folder(store, sources / "words")
    write_reciprocal(sources / "reciprocal")
    publish_folder(store, sources / "reciprocal")
    write_sum(sources / "sum")
    publish_folder(store, sources / "sum")
    write_zeros(sources / "zeros")
    publish_folder(store, sources / "zeros")
    publish_adder(store, 1.0, name="broken")
    flip_a_byte(version_folder(store, 1, "broken") / "source/model.onnx")
