"""Published models that start with one variant and continue with another, chosen by a test."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inference.loading.loader import RUNTIME
from model_store.chunks import digest_chunks
from model_store.files import FileEntry
from model_store.layout import MANIFEST, StoreLayout
from model_store.names import new_id
from model_store.reading import read_preparation
from model_store.variant import PLAIN, Measurement, Variant
from model_sync.graphs.optimizer import EXTENDED, GRAPH, optimize
from tests.support.kill_children import forked_trials
from tests.support.models import IR_VERSION, OPSET
from tests.support.stores import commit, entry_of, publish_folder, version_folder

if TYPE_CHECKING:
    from pathlib import Path

    from inference.serving.manager import Manager

MODEL: Final = "packs"
MAPPED: Final = "mapped"
PACKED: Final = "packed"
SIZE: Final = 64
MAPPED_NEED: Final = Measurement(1.0, 1.0, 2.0, 3_000_000, 1_000_000, 500_000)
PACKED_NEED: Final = Measurement(2.0, 1.0, 1.0, 5_000_000, 2_000_000, 0)
"""Simulated measurements: memory of each variant, at its peak and after the load."""

X: Final = np.linspace(-1.0, 1.0, SIZE, dtype=np.float32)[None]

PIPELINE: Final = """
import json, os, time
import numpy as np

def decode(request):
    while os.path.exists(os.environ.get("HOLD", "")):
        time.sleep(0.002)
    return {"x": np.array([json.loads(request.body)], np.float32)}

def encode(outputs, request):
    return {"y": (outputs["y"][0] + float(os.environ.get("OFF_BY", "0"))).tolist()}
"""

RECIPE: Final = """
[pipeline]
file = "pipeline.py"
[golden]
folder = "golden"
rtol = 1e-3
atol = 1e-4
"""


def expected(constant: float = 1.0) -> np.ndarray:
    """Return the model's answer to X."""
    found: np.ndarray = X @ (_weights() * np.float32(constant))
    return found


def publish_replaceable(
    store: Path, constant: float = 1.0, *, replacement: str | None = PACKED
) -> int:
    """Publish x times weights, which starts mapped; return the version's number.

    Its golden case calls its pipeline, which waits while the file exists that HOLD names, and is
    off by OFF_BY.
    """
    folder = store.parent / "sources" / MODEL
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "golden" / "one").mkdir(parents=True)
    _write_graph(folder / "model.onnx", constant)
    (folder / "pipeline.py").write_text(PIPELINE)
    (folder / "model.toml").write_text(RECIPE)
    for name, document in {
        "request": X[0].tolist(),
        "expected": {"y": expected(constant)[0].tolist()},
    }.items():
        (folder / "golden" / "one" / f"{name}.json").write_text(json.dumps(document))
    with forked_trials():
        number = publish_folder(store, folder).version
        prepare(store, number, replacement=replacement)
    return number


def prepared_folder(store: Path, number: int = 1) -> Path:
    """Return the folder of a version's variants."""
    entry = entry_of(store, number, MODEL)
    return StoreLayout(store).model(MODEL).preparation(entry.preparations[RUNTIME])


def replace_graph(store: Path, graph: Path) -> None:
    """Replace the packed variant of version 1 by another graph with a matching digest."""
    entry, folder = entry_of(store, 1, MODEL), prepared_folder(store)
    before = read_preparation(StoreLayout(store), MODEL, entry, RUNTIME)
    assert before
    shutil.copyfile(graph, folder / PACKED / GRAPH)
    packed = _variant(folder, PACKED, {}, PACKED_NEED)
    variants = tuple(packed if each.name == PACKED else each for each in before.variants)
    (folder / MANIFEST).write_bytes(before._replace(variants=variants).render())


def variant(manager: Manager, number: int = 1) -> str:
    """Return the variant of a warm version."""
    return manager.state().models[MODEL].variants[number]


def prepare(
    store: Path,
    number: int,
    name: str = MODEL,
    *,
    chosen: str = MAPPED,
    replacement: str | None = PACKED,
) -> None:
    """Give a version another preparation: two variants that differ only in packing."""
    layout, entry = StoreLayout(store), entry_of(store, number, name)
    before = read_preparation(layout, name, entry, RUNTIME)
    assert before
    preparation_id = new_id()
    folder = layout.model(name).preparation(preparation_id)
    (folder / MAPPED).mkdir(parents=True)
    source = version_folder(store, number, name) / "source/model.onnx"
    optimize({source: folder / MAPPED}, EXTENDED, layout=layout)
    shutil.copytree(folder / MAPPED, folder / PACKED)
    forms = (
        _variant(folder, MAPPED, {"session.disable_prepacking": "1"}, MAPPED_NEED),
        _variant(folder, PACKED, {}, PACKED_NEED),
    )
    plain = before.named(PLAIN)._replace(measurement=PACKED_NEED)
    manifest = before._replace(
        id=preparation_id, variants=(plain, *forms), chosen=chosen, replacement=replacement
    )
    (folder / MANIFEST).write_bytes(manifest.render())
    entry = entry._replace(preparations={RUNTIME: preparation_id})
    commit(store, name, lambda refs: refs._replace(versions={**refs.versions, number: entry}))


def _variant(folder: Path, name: str, config: dict[str, str], need: Measurement) -> Variant:
    files = tuple(_entry(folder, path) for path in sorted((folder / name).iterdir()))
    assert len(files) == 2  # the graph, and weights that can be mapped
    return Variant(name, f"{name}/{GRAPH}", config, need, optimized=True, files=files)


def _entry(folder: Path, path: Path) -> FileEntry:
    with path.open("rb") as stream:
        digest, _ = digest_chunks(stream)
    return FileEntry(str(path.relative_to(folder)), path.stat().st_size, digest)


def _weights() -> np.ndarray:
    return np.random.default_rng(5).standard_normal((SIZE, SIZE), dtype=np.float32) / SIZE


def _write_graph(path: Path, constant: float) -> None:
    weights = _weights() * np.float32(constant)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "weights"], ["y"])],
        "packs",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", SIZE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", SIZE])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save_model(helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION), str(path))
