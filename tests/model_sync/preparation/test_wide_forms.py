"""The highest level of optimization: made for one kind of processor, and kept from every other."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.cold_models.resnet import ResnetSizes, write_resnet
from inference.errors import LoadError
from inference.loading.cpu import block_width
from inference.loading.loader import RUNTIME, load_version
from model_store.chunks import digest_chunks
from model_store.files import FileEntry
from model_store.layout import MANIFEST, StoreLayout
from model_store.reading import read_preparation
from model_store.variant import PLAIN, Measurement, Variant
from model_sync.__main__ import main
from model_sync.errors import TrialError
from model_sync.graphs.blocked_layout import block_width_of, has_convolutions, write_probe
from model_sync.graphs.optimizer import EXTENDED, GRAPH, HIGHEST, WEIGHTS, optimize
from model_sync.preparation.build import PORTABLE, WIDE
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.backups import verified_and_restored
from tests.support.damage import flip_a_byte
from tests.support.models import write_graph
from tests.support.processors import UNKNOWN, other_than_this, pretended
from tests.support.stores import entry_of

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion
    from model_store.preparation import PreparationManifest

pytestmark = [
    pytest.mark.store_of("wide_store"),
    pytest.mark.skipif(not block_width(), reason="ONNX Runtime has no blocks here"),
]

SIZES = ResnetSizes(blocks=(1, 1, 1), width=32, classes=10, image=64)
X = np.random.default_rng(3).standard_normal((2, 3, 64, 64)).astype(np.float32)
NAME = "small"


@pytest.fixture(scope="module")
def resnet_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a graph of convolutions, of 2 MB. Not to be changed."""
    root = tmp_path_factory.mktemp("wide")
    write_resnet(root / NAME / "model.onnx", SIZES)
    (root / NAME / "model.toml").write_text('[optimize]\noptimize_for = "cold"\n')
    publish(root / NAME, root / "store", progress=Silent())
    return root / "store"


@pytest.fixture(scope="module")
def wide_store(resnet_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the wide variant chosen and the portable one kept, whatever was measured."""
    store = tmp_path_factory.mktemp("chosen") / "store"
    shutil.copytree(resnet_store, store)
    found = preparation_of(store)
    folder = prepared_folder(store)
    source = next(store.glob("models/*/versions/*/source/model.onnx"))
    variants = [found.named(PLAIN)]
    for name, level, width in ((PORTABLE, EXTENDED, 0), (WIDE, HIGHEST, block_width())):
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir()
        optimize({source: folder / name}, level, layout=StoreLayout(store))
        files = tuple(_entry(folder, path) for path in sorted((folder / name).iterdir()))
        measurement = Measurement(1.0, 1.0, 1.0, 1 << 20, 1 << 20, 0)
        variant = Variant(name, f"{name}/{GRAPH}", {}, measurement, optimized=True, files=files)
        variants.append(variant._replace(block_width=width))
    manifest = found._replace(
        variants=tuple(variants), chosen=WIDE, why="the test says so", replacement=None
    )
    (folder / MANIFEST).write_bytes(manifest.render())
    return store


def _entry(folder: Path, path: Path) -> FileEntry:
    with path.open("rb") as stream:
        digest = digest_chunks(stream)[0]
    return FileEntry(str(path.relative_to(folder)), path.stat().st_size, digest)


def preparation_of(store: Path, name: str = NAME) -> PreparationManifest:
    found = read_preparation(StoreLayout(store), name, entry_of(store, 1, name), RUNTIME)
    assert found
    return found


def prepared_folder(store: Path) -> Path:
    return StoreLayout(store).model(NAME).preparation(preparation_of(store).id)


def load(store: Path) -> LoadedVersion:
    return load_version(StoreLayout(store), NAME, 1, entry_of(store, 1, NAME))


def answer(store: Path) -> Any:
    return load(store).run({"input": X})["output"]


def plain_answer(store: Path) -> Any:
    entry = entry_of(store, 1, NAME)._replace(preparations={})
    return load_version(StoreLayout(store), NAME, 1, entry).run({"input": X})["output"]


def test_a_graph_of_convolutions_is_also_tried_for_this_processor(resnet_store: Path) -> None:
    found = preparation_of(resnet_store)
    assert [each.name for each in found.variants] == [PLAIN, PORTABLE, WIDE]
    assert [each.refused for each in found.variants] == [None] * 3
    assert [each.block_width for each in found.variants] == [0, 0, block_width()]
    assert found.named(WIDE).measured.warm_ms > 0


def test_what_is_chosen_is_kept_and_what_other_processors_open_and_no_more(
    resnet_store: Path,
) -> None:
    found = preparation_of(resnet_store)
    opened = {found.chosen, found.fitting(0).name}
    if found.variant.block_width:
        assert found.why.endswith(f"; on other processors {found.fitting(0).name}")
    assert {each.name for each in found.variants if each.files} == opened - {PLAIN}
    folder = prepared_folder(resnet_store)
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert there == {file.path for file in found.files} | {MANIFEST}


def test_on_the_processor_that_it_was_made_for_the_wide_form_is_opened(store: Path) -> None:
    np.testing.assert_allclose(answer(store), plain_answer(store), rtol=1e-4, atol=1e-5)
    flip_a_byte(prepared_folder(store) / WIDE / WEIGHTS)
    with pytest.raises(LoadError, match=r"weights\.bin is damaged"):
        load(store)


@pytest.mark.parametrize("known", [True, False], ids=["of another width", "that is not known"])
def test_on_a_processor_of_another_kind_the_portable_form_is_opened(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    shutil.rmtree(prepared_folder(store) / WIDE)
    with pretended(other_than_this() if known else UNKNOWN, tmp_path, monkeypatch):
        np.testing.assert_allclose(answer(store), plain_answer(store), rtol=1e-4, atol=1e-5)
        flip_a_byte(prepared_folder(store) / PORTABLE / WEIGHTS)
        with pytest.raises(LoadError, match=r"weights\.bin is damaged"):
            load(store)


def test_where_no_portable_form_was_kept_another_processor_opens_the_plain_one(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected, found = plain_answer(store), preparation_of(store)
    dropped = tuple(
        each._replace(files=()) if each.name == PORTABLE else each for each in found.variants
    )
    folder = prepared_folder(store)
    (folder / MANIFEST).write_bytes(found._replace(variants=dropped).render())
    for name in (PORTABLE, WIDE):
        shutil.rmtree(folder / name)
    with pretended(other_than_this(), tmp_path, monkeypatch):
        np.testing.assert_array_equal(answer(store), expected)


def test_its_files_are_verified_backed_up_and_restored(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = verified_and_restored(store, tmp_path)
    for name in (PORTABLE, WIDE):
        assert (prepared_folder(again) / name / WEIGHTS).exists()
    for name in (PORTABLE, WIDE):
        flip_a_byte(prepared_folder(store) / name / WEIGHTS)
    capsys.readouterr()
    assert main(["verify", "--store", str(store)]) == 1
    out = capsys.readouterr().out
    assert f"{PORTABLE}/{WEIGHTS}" in out
    assert f"{WIDE}/{WEIGHTS}" in out


def test_show_says_for_which_blocks_a_form_is(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", NAME, "--store", str(store)]) == 0
    out = capsys.readouterr().out
    assert f"    wide (blocks of {block_width()}): load " in out
    assert "    portable: load " in out


def test_where_readers_would_take_the_width_for_another_the_wide_form_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = block_width()
    write_resnet(tmp_path / NAME / "model.onnx", SIZES)
    with pretended(other_than_this(), tmp_path, monkeypatch):
        publish(tmp_path / NAME, tmp_path / "store", progress=Silent())
        reason = f"its blocks are {made} wide, but readers assume {block_width()}"
    found = preparation_of(tmp_path / "store")
    assert found.named(WIDE).refused == reason
    assert found.named(WIDE).block_width == made
    assert not found.named(WIDE).can_be_opened
    assert not (prepared_folder(tmp_path / "store") / WIDE).exists()


def write_convolution(path: Path, filters: np.ndarray) -> None:
    path.parent.mkdir()
    channels = filters.shape[0]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "filters"], ["y"])],
        "convolution",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, channels, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, channels, 6, 6])],
        [numpy_helper.from_array(filters, "filters")],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save_model(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def in_blocks(filters: np.ndarray, width: int) -> np.ndarray:
    """Return filters in blocked memory layout: of inputs, then of outputs, innermost."""
    n_out, n_in, height, wide = filters.shape
    blocks = filters.reshape(n_out // width, width, n_in // width, width, height, wide)
    return np.ascontiguousarray(blocks.transpose(0, 2, 4, 5, 3, 1))


def test_in_blocks_of_another_width_weights_are_wrong_without_an_error(tmp_path: Path) -> None:
    import onnxruntime  # noqa: PLC0415 - as little of it as can be

    filters = np.random.default_rng(1).standard_normal((32, 32, 3, 3)).astype(np.float32)
    graph, folder = tmp_path / "given" / GRAPH, tmp_path / "made"
    write_convolution(graph, filters)
    folder.mkdir()
    optimize({graph: folder}, HIGHEST, layout=StoreLayout(tmp_path))
    weights = folder / WEIGHTS
    x = np.random.default_rng(2).standard_normal((1, 32, 8, 8)).astype(np.float32)

    def run(path: Path) -> Any:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        return session.run(None, {"x": x})[0]

    right = run(graph)
    here = block_width()
    made = in_blocks(filters, here).tobytes()
    given = weights.read_bytes()
    at = given.index(made)  # so this is their layout in blocks of this processor's width
    np.testing.assert_allclose(run(folder / GRAPH), right, rtol=1e-4, atol=1e-4)
    other = in_blocks(filters, 8 if here == 16 else 16).tobytes()
    weights.write_bytes(given[:at] + other + given[at + len(made) :])
    assert float(np.max(np.abs(run(folder / GRAPH) - right))) > 1


def test_the_probe_shows_how_wide_blocks_are_and_only_where_there_are_any(tmp_path: Path) -> None:
    graph, probe = tmp_path / "given" / GRAPH, tmp_path / "probe.onnx"
    write_convolution(graph, np.ones((32, 32, 3, 3), np.float32))
    write_probe(probe)
    made = {graph: tmp_path / "made", probe: tmp_path / "probed"}
    for folder in made.values():
        folder.mkdir()
    optimize(made, HIGHEST, layout=StoreLayout(tmp_path))
    wide, probed = (folder / GRAPH for folder in made.values())
    assert block_width_of(wide, probed) == block_width()
    assert block_width_of(graph, probed) == 0
    with pytest.raises(TrialError, match="its weights are in blocks of unknown width"):
        block_width_of(wide, probe)


def test_a_convolution_within_a_branch_is_found(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    convolved = helper.make_node("Conv", ["x", "x"], ["out"])
    same = helper.make_node("Identity", ["x"], ["out"])
    branches = {
        f"{name}_branch": helper.make_graph([node], name, [], [value])
        for name, node in {"then": same, "else": convolved}.items()
    }
    types: dict[str, Any] = {
        "c": (TensorProto.BOOL, []),
        "x": (TensorProto.FLOAT, [1, 1, 1, 1]),
    }
    for folder, node in {
        "with": helper.make_node("If", ["c"], ["y"], **branches),
        "without": helper.make_node("Identity", ["x"], ["y"]),
    }.items():
        write_graph(tmp_path / folder, [node], types, {"y": (TensorProto.FLOAT, [1, 1, 1, 1])})
    assert has_convolutions(tmp_path / "with" / GRAPH)
    assert not has_convolutions(tmp_path / "without" / GRAPH)
