"""Unloading a version returns its memory to the system, in an environment that keeps serving.

Each case is a separate process, so that memory left by other tests does not matter.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.heavy_model import LAYER_BYTES, write_heavy_model
from inference.process.memory import forget_peak, give_back, rss_bytes, split_bytes
from tests.inference.replaceable import MAPPED, PACKED, prepare
from tests.support.models import IR_VERSION, OPSET
from tests.support.places import ROOT
from tests.support.stores import publish_adder, publish_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAYERS: Final = 8
HEAVY_BYTES: Final = LAYERS * LAYER_BYTES
PIPELINE: Final = """
import numpy

def decode(request):
    return {"x": numpy.frombuffer(request.body, numpy.float32).reshape(-1, 1024)}

def encode(outputs, request):
    return {"mean": float(outputs["y"].mean()), "publication": PUBLICATION}
"""

PRELUDE: Final = """
import gc, json, pathlib, sys, threading
import numpy
from inference.loading.loader import load_version
from inference.process.memory import give_back, rss_bytes, split_bytes
from inference.pipeline import Request
from model_store.layout import StoreLayout
from model_store.reading import read_upward

layout = StoreLayout(pathlib.Path(sys.argv[1]))
held = {}

def load(model, number):
    # In a thread, as the manager does: what a thread allocates is the harder to give back.
    def run():
        entry = read_upward(layout.model(model)).versions[number]
        held["version"] = load_version(layout, model, number, entry)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()

def call(rows):
    held["version"].run({"x": numpy.ones((rows, 1024), numpy.float32)})
"""

# An environment that has served: ONNX Runtime's own pages are there.
FALLS: Final = (
    PRELUDE
    + """
load("adder", 1)
held["version"].run({"x": numpy.ones((1, 2), numpy.float32)})
held.clear()
give_back()
before = rss_bytes()
load(sys.argv[2], 1)
call(int(sys.argv[3]))
warm = rss_bytes()
held.clear()
give_back()
print(json.dumps({"grew": warm - before, "left": rss_bytes() - before}))
"""
)

SHAPES: Final = (
    PRELUDE
    + """
load("narrow", 1)
found = []
for rows in range(1, 1201):
    call(1 + rows % 600 * (rows <= 600))
    if rows in (1, 1200):
        give_back()
        found.append(rss_bytes())
print(json.dumps({"after": found}))
"""
)

SWAPS: Final = (
    PRELUDE
    + """
body = numpy.ones((1, 1024), numpy.float32).tobytes()
found = []
for swap in range(1, 301):
    number = 1 + swap % 2
    load("heavy", number)
    answer = json.loads(held["version"].predict(Request(body)).body)
    assert answer["publication"] == number, answer
    give_back()
    found.append(rss_bytes())
print(json.dumps({"after": found}))
"""
)


# No call is in progress at the replacement: the rest of the first variant was not given back.
REPLACES: Final = (
    PRELUDE
    + """
import time
from inference.serving.manager import Manager

def idle():
    end = time.monotonic() + 30
    while manager._background.busy():
        assert time.monotonic() < end
        time.sleep(0.002)

manager = Manager(layout, ref_ttl_s=0.0, load=load_version)
before = split_bytes()
for _ in "12":  # once more, as the allocator keeps what was freed from the second time on
    manager.unload("one_file")
    idle()
    manager.resolve("one_file")
    idle()
[form] = manager.state().models["one_file"].variants.values()
after = split_bytes()
print(json.dumps({
    "form": form,
    "own": after.anonymous_bytes - before.anonymous_bytes,
    "mapped": after.mapped_bytes - before.mapped_bytes,
}))
"""
)


@pytest.fixture(scope="module")
def heavy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with an adder and a model of 32 MB in one file, and in two. Not to be changed."""
    folder = tmp_path_factory.mktemp("heavy")
    store = folder / "store"
    publish_adder(store, 1)
    for name, external in (("one_file", False), ("two_files", True)):
        write_heavy_model(folder / name / "model.onnx", layers=LAYERS, external=external)
        publish_folder(store, folder / name)
    return store


@pytest.mark.parametrize("model", ["one_file", "two_files"])
@pytest.mark.parametrize("rows", [1, 512])
def test_memory_falls_when_a_version_is_let_go(heavy: Path, model: str, rows: int) -> None:
    found = _run(FALLS, heavy, model, str(rows))
    assert found["grew"] > HEAVY_BYTES * 0.9
    assert found["left"] < found["grew"] * 0.1


def test_a_session_keeps_nothing_of_each_shape_that_it_saw(tmp_path: Path) -> None:
    _write_narrow(tmp_path / "narrow")
    publish_folder(tmp_path / "store", tmp_path / "narrow")
    first, last = _run(SHAPES, tmp_path / "store")["after"]
    assert last - first < 600 * 4096


@pytest.mark.parametrize(("chosen", "replacement"), [(MAPPED, PACKED), (PACKED, MAPPED)])
def test_a_form_that_was_replaced_leaves_the_memory_of_the_other(
    heavy: Path, tmp_path: Path, chosen: str, replacement: str
) -> None:
    store = tmp_path / "store"
    shutil.copytree(heavy, store, ignore=shutil.ignore_patterns("two_files"))
    prepare(store, 1, "one_file", chosen=chosen, replacement=replacement)
    found = _run(REPLACES, store)
    assert found["form"] == replacement
    most_own = 1.3 if replacement == PACKED else 0.3
    assert found["own"] < HEAVY_BYTES * most_own
    assert replacement == MAPPED or found["mapped"] < HEAVY_BYTES * 0.8


@pytest.mark.slow
def test_three_hundred_swaps_leave_no_more_than_twenty(tmp_path: Path) -> None:
    after = _run(SWAPS, _publish_small(tmp_path, 2))["after"]
    assert len(after) == 300
    for twentieth in (18, 19):  # of either version: they differ in size
        assert max(after[twentieth::2]) <= after[twentieth] * 1.05


def test_what_is_resident_is_its_kinds_together() -> None:
    found = split_bytes()
    kinds = (found.anonymous_bytes, found.mapped_bytes, found.shared_bytes)
    assert sum(kinds) == found.resident_bytes <= found.peak_bytes
    assert min(kinds[:2]) > 0
    # Two files of the kernel's, read one after the other, each of counters that lag a little.
    assert rss_bytes() == pytest.approx(found.resident_bytes, rel=0.05)


def test_mapped_pages_are_told_from_the_process_s_own(mapped: bytes) -> None:
    before = split_bytes()
    assert mapped[::4096].count(b"x") == len(mapped) / 4096
    after = split_bytes()
    assert after.mapped_bytes - before.mapped_bytes >= len(mapped) * 0.9
    assert after.anonymous_bytes - before.anonymous_bytes < len(mapped) * 0.1


def test_a_peak_can_be_forgotten() -> None:
    block = bytearray(b"x") * (64 << 20)
    del block
    forget_peak()
    give_back()
    forget_peak()
    assert split_bytes().peak_bytes - split_bytes().resident_bytes < 32 << 20


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[Any]:
    """A file of 16 MB, mapped and not yet touched."""
    import mmap  # noqa: PLC0415

    path = tmp_path / "mapped"
    path.write_bytes(b"x" * (16 << 20))
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as found:
        yield found


def _write_narrow(folder: Path) -> None:
    """Write a model whose calls take a hundredth of `heavy`'s time, and as much memory."""
    sizes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1024]) for name in "xy"]
    weights = {"in": np.ones((1024, 8), np.float32), "out": np.ones((8, 1024), np.float32)}
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "in"], ["sums"]),
            helper.make_node("MatMul", ["sums", "out"], ["wide"]),
            helper.make_node("Relu", ["wide"], ["y"]),
        ],
        "narrow",
        sizes[:1],
        sizes[1:],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    folder.mkdir()
    model = helper.make_model(graph, opset_imports=OPSET, ir_version=IR_VERSION)
    onnx.save_model(model, str(folder / "model.onnx"))


def _publish_small(tmp_path: Path, versions: int) -> Path:
    """Versions of `heavy` of 4 and 12 MB, each with a pipeline that says which it is."""
    store = tmp_path / "store"
    for number in range(1, versions + 1):
        folder = tmp_path / str(number) / "heavy"
        write_heavy_model(folder / "model.onnx", layers=2 * number - 1, seed=number)
        pipeline = f"PUBLICATION = {number}\n" + PIPELINE
        publish_folder(store, folder, pipeline=pipeline)
    return store


def _run(code: str, store: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", code, store, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # after what is logged
    return found
