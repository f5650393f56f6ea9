"""Documents that are right, for tests to take apart; and stores written without the writer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from model_store import documents
from model_store.digests import Digest
from model_store.files import FileEntry
from model_store.layout import StoreLayout
from model_store.package_set import PackageSetManifest, Target, Wheel
from model_store.preparation import PreparationManifest
from model_store.recorded_imports import RecordedFile
from model_store.refs import Change, Hold, Refs, State, VersionEntry
from model_store.signature import Signature, TensorSpec
from model_store.variant import PLAIN, Measurement, Variant
from model_store.version import GoldenCases, VersionContent, VersionManifest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model_store.layout import ModelLayout

STORE_ID: Final = "6d7a3c1e-0000-4000-8000-000000000001"
RUNTIME: Final = "ort-1.32.0-x86_64-p1"
VERSION_ID: Final = "20261123T210935Z-0f3c9a51be77"
PREPARATION_ID: Final = "20261123T210936Z-a1b2c3d4e5f6"
TIME: Final = "2026-11-23T21:09:35Z"

CONTENT: Final = VersionContent(
    files=(
        FileEntry("golden/one/expected.json", 2, Digest.of_bytes(b"{}")),
        FileEntry("golden/one/request.json", 2, Digest.of_bytes(b"[]")),
        FileEntry("pipeline/pipeline.py", 0, Digest.of_bytes(b"")),
        FileEntry("source/größe.onnx", 5, Digest.of_bytes(b"model")),
    ),
    model_file="source/größe.onnx",
    pipeline_file="pipeline/pipeline.py",
    golden=GoldenCases(("one",), rtol=1e-5, atol=1e-6),
    packages=Digest.of_bytes(b"a package set"),
)

VERSION: Final = VersionManifest(
    model="adder",
    id=VERSION_ID,
    created_at=TIME,
    signature=Signature(
        inputs=(TensorSpec("x", "FP32", (-1, 2)), TensorSpec("any", "BYTES", None)),
        outputs=(TensorSpec("y", "FP32", ()),),
    ),
    content=CONTENT,
)

PREPARATION: Final = PreparationManifest(
    model="adder",
    id=PREPARATION_ID,
    version_id=VERSION_ID,
    version_digest=CONTENT.digest,
    runtime=RUNTIME,
    created_at=TIME,
    chosen=PLAIN,
    why="balanced: no other variant is 10% better",
    variants=(
        Variant(
            PLAIN,
            "source/größe.onnx",
            {"session.intra_op.allow_spinning": "0"},
            Measurement(
                load_ms=1.5,
                first_ms=0.25,
                warm_ms=0.125,
                peak_bytes=4096,
                resident_bytes=1024,
                mapped_bytes=512,
            ),
        ),
        Variant(
            "portable",
            "portable/model.onnx",
            {},
            Measurement(1.0, 0.5, 0.25, 4096, 2048, 0),
            optimized=True,
            files=(FileEntry("portable/model.onnx", 4, Digest.of_bytes(b"four")),),
            block_width=16,
            recorded={"portable/model.onnx": ((0, 2), (3, 1))},
        ),
        Variant("odd", "odd/model.onnx", {}, None, refused="it is off by up to 7.8"),
    ),
    replacement="portable",
    chunks={"source/größe.onnx": (Digest.of_bytes(b"a").hex, Digest.of_bytes(b"b").hex)},
    imports=(
        RecordedFile("modules.bin", ((0, 2), (5, 1))),
        RecordedFile("site-packages/alpha/größe.so", ((0, 1),)),
    ),
)

ENTRY: Final = VersionEntry(
    id=VERSION_ID,
    state=State.AVAILABLE,
    digest=CONTENT.digest,
    size_bytes=9,
    published_at=TIME,
    preparations={RUNTIME: PREPARATION_ID},
)

REFS: Final = Refs(
    model="adder",
    model_id="a-model-id",
    generation=7,
    writer="a-writer",
    next_version=4,
    labels={"latest": 3, "stable": 1},
    split={"stable": 25, "latest": 75},
    versions={
        1: ENTRY,
        3: ENTRY._replace(state=State.RETIRED, retired_at=TIME, sweep_after=TIME),
    },
    holds={"job-1": Hold(1, TIME)},
    change=Change("somebody@somewhere", TIME, "publish", "a reason"),
)

PACKAGE_SET: Final = PackageSetManifest(
    target=Target("3.12", "x86_64-manylinux_2_28"),
    wheels=(
        Wheel("numpy", "2.4.6", Digest.of_bytes(b"numpy")),
        Wheel("onnxruntime", "1.32.0", Digest.of_bytes(b"onnxruntime")),
    ),
    size_bytes=7,
    files=2,
    files_digest=Digest.of_bytes(b"files"),
    created_at=TIME,
    index_digest=Digest.of_bytes(b"index"),
    modules={"numpy": "numpy", "onnxruntime": "onnxruntime"},
)

PARSERS: Final[dict[str, Callable[[bytes, str], Any]]] = {
    "refs": Refs.parse,
    "version": VersionManifest.parse,
    "preparation": PreparationManifest.parse,
    "package_set": PackageSetManifest.parse,
}
RENDERED: Final = {
    "refs": REFS.render(),
    "version": VERSION.render(),
    "preparation": PREPARATION.render(),
    "package_set": PACKAGE_SET.render(),
}
KINDS: Final = tuple(PARSERS)


def as_json(kind: str) -> dict[str, Any]:
    """A fresh copy of a right document, to be made wrong."""
    value: dict[str, Any] = json.loads(RENDERED[kind])
    return value


def refs_of(generation: int, **changes: Any) -> Refs:
    """Small refs of a generation: no version yet."""
    empty = REFS._replace(next_version=1, labels={}, split={}, versions={}, holds={})
    return empty._replace(generation=generation, **changes)


def write_store(root: Path, store_id: str = STORE_ID) -> StoreLayout:
    """An empty store."""
    layout = StoreLayout(root)
    root.mkdir(parents=True, exist_ok=True)
    layout.store_json.write_bytes(documents.render({"format": 1, "id": store_id}))
    return layout


def write_generations(model: ModelLayout, *all_refs: Refs, newest: Refs | None) -> None:
    """Files in refs/, and `refs.json` as a file of its own; none if `newest` is None."""
    model.refs_folder.mkdir(parents=True, exist_ok=True)
    for refs in all_refs:
        model.generation(refs.generation).write_bytes(refs.render())
    if newest is None:
        model.refs_json.unlink(missing_ok=True)
    else:
        model.refs_json.write_bytes(newest.render())
