"""Variants of a version: built, measured, compared with the plain one, chosen, and served."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from bench.heavy_model import WIDTH, write_heavy_model
from inference.errors import LoadError
from inference.loading.loader import RUNTIME, load_version
from model_store.chunks import CHUNK_BYTES
from model_store.layout import StoreLayout
from model_store.reading import read_preparation, read_upward
from model_store.variant import PLAIN
from model_sync.__main__ import main
from model_sync.errors import RecipeError
from model_sync.preparation.build import MAPPED, PORTABLE
from model_sync.progress import Silent
from model_sync.publishing.publish import publish
from tests.model_sync.backups import verified_and_restored
from tests.support.damage import flip_a_byte
from tests.support.models import write_adder, write_graph

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion
    from model_store.preparation import PreparationManifest

pytestmark = pytest.mark.store_of("heavy_store")

X = np.random.default_rng(3).standard_normal((2, WIDTH)).astype(np.float32)


@pytest.fixture(scope="module")
def heavy_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with `heavy`, chosen for cold starts. Not to be changed."""
    root = tmp_path_factory.mktemp("heavy")
    write_heavy_model(root / "heavy" / "model.onnx", layers=4)
    (root / "heavy" / "model.toml").write_text('[optimize]\noptimize_for = "cold"\n')
    publish(root / "heavy", root / "store", progress=Silent())
    return root / "store"


def preparation_of(store: Path, model: str = "heavy") -> PreparationManifest:
    layout = StoreLayout(store)
    refs = read_upward(layout.model(model))
    assert refs
    found = read_preparation(layout, model, refs.versions[1], RUNTIME)
    assert found
    return found


def prepared_folder(store: Path) -> Path:
    return StoreLayout(store).model("heavy").preparation(preparation_of(store).id)


def load(store: Path, model: str = "heavy") -> LoadedVersion:
    layout = StoreLayout(store)
    refs = read_upward(layout.model(model))
    assert refs
    return load_version(layout, model, 1, refs.versions[1])


def test_every_form_is_measured_and_the_best_is_kept(heavy_store: Path) -> None:
    found = preparation_of(heavy_store)
    assert [each.name for each in found.variants] == [PLAIN, PORTABLE, MAPPED]
    assert [each.refused for each in found.variants] == [None] * 3
    assert all(each.measurement and each.measurement.warm_ms > 0 for each in found.variants)
    assert found.chosen in {PORTABLE, MAPPED}
    assert found.why.startswith("cold: ")
    assert [file.path for file in found.variant.files] == [
        "portable/model.onnx",
        "portable/weights.bin",
    ]
    kept = {each.name: bool(each.files) for each in found.variants}
    assert kept == {name: name == found.chosen for name in kept}


def test_what_is_mapped_is_not_the_processs_own(heavy_store: Path) -> None:
    forms = {each.name: each.measurement for each in preparation_of(heavy_store).variants}
    plain, mapped = forms[PLAIN], forms[MAPPED]
    assert plain
    assert mapped
    weights_bytes = 4 * WIDTH * WIDTH * 4
    assert mapped.mapped_bytes > 0.9 * weights_bytes
    assert plain.resident_bytes - plain.mapped_bytes > 0.9 * weights_bytes


def test_the_chosen_form_answers_as_the_version_does(store: Path) -> None:
    loaded = load(store)
    assert loaded.maps_files
    chosen: Any = loaded.run({"x": X})["y"]
    shutil.rmtree(prepared_folder(store))
    layout = StoreLayout(store)
    refs = read_upward(layout.model("heavy"))
    assert refs
    entry = refs.versions[1]._replace(preparations={})
    plain = load_version(layout, "heavy", 1, entry)
    assert not plain.maps_files
    expected: Any = plain.run({"x": X})["y"]
    np.testing.assert_allclose(chosen, expected, rtol=1e-4, atol=1e-5)


def test_only_what_it_is_made_of_is_read_and_checked(store: Path) -> None:
    source = next(store.glob("models/heavy/versions/*/source/model.onnx"))
    source.write_bytes(b"")
    assert load(store).run({"x": X})["y"].shape == (2, WIDTH)


@pytest.mark.parametrize("file", ["model.onnx", "weights.bin"])
def test_a_wrong_byte_in_it_fails_the_load(store: Path, file: str) -> None:
    flip_a_byte(prepared_folder(store) / PORTABLE / file)
    with pytest.raises(LoadError, match=f"{file} is damaged"):
        load(store)


def test_it_is_verified_backed_up_and_restored(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = verified_and_restored(store, tmp_path)
    assert load(again).maps_files
    flip_a_byte(prepared_folder(store) / PORTABLE / "weights.bin")
    capsys.readouterr()
    assert main(["verify", "--store", str(store)]) == 1
    assert "weights.bin" in capsys.readouterr().out


def test_show_says_what_was_tried_and_why_this_one_won(
    heavy_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "heavy", "--store", str(heavy_store)]) == 0
    out = capsys.readouterr().out
    for text in ("    cold: ", "    plain: load ", "    portable: load ", "    mapped: load "):
        assert text in out
    assert main(["show", "heavy", "--json", "--store", str(heavy_store)]) == 0
    described = json.loads(capsys.readouterr().out)["preparations"][RUNTIME]
    assert described["why"] == preparation_of(heavy_store).why
    assert len(described["variants"]) == 3


def test_of_a_small_graph_only_the_plain_form_is_tried(tmp_path: Path) -> None:
    write_adder(tmp_path / "adder", 1.0)
    publish(tmp_path / "adder", tmp_path / "store", progress=Silent())
    found = preparation_of(tmp_path / "store", "adder")
    assert [each.name for each in found.variants] == [PLAIN]
    assert found.chosen == PLAIN


def test_a_form_whose_answers_are_others_is_refused_with_how_far_off(tmp_path: Path) -> None:
    weights = np.ones((512, 1024), np.float32)
    write_graph(
        tmp_path / "random",
        [
            helper.make_node(
                "Constant",
                [],
                ["w"],
                value=helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel()),
            ),
            helper.make_node("MatMul", ["x", "w"], ["xw"]),
            helper.make_node("RandomNormalLike", ["xw"], ["noise"]),
            helper.make_node("Add", ["xw", "noise"], ["y"]),
        ],
        {"x": (TensorProto.FLOAT, ["n", 512])},
        {"y": (TensorProto.FLOAT, ["n", 1024])},
    )
    publish(tmp_path / "random", tmp_path / "store", progress=Silent())
    found = preparation_of(tmp_path / "store", "random")
    assert found.chosen == PLAIN
    for variant in found.variants[1:]:
        assert variant.refused
        assert "its output 'y' is not the plain variant's: it is off by up to" in variant.refused
        assert not variant.files
    assert not list(StoreLayout(tmp_path / "store").root.glob("models/random/preparations/*/p*"))


def test_an_objective_that_there_is_not_is_refused(tmp_path: Path) -> None:
    write_adder(tmp_path / "adder", 1.0)
    (tmp_path / "adder" / "model.toml").write_text('[optimize]\noptimize_for = "fast"\n')
    with pytest.raises(RecipeError, match="'fast', expected one of balanced, cold, warm"):
        publish(tmp_path / "adder", tmp_path / "store", progress=Silent())


def test_another_objective_is_another_version(tmp_path: Path) -> None:
    write_adder(tmp_path / "adder", 1.0)
    first = publish(tmp_path / "adder", tmp_path / "store", progress=Silent())
    recipe = tmp_path / "adder" / "model.toml"
    recipe.write_text('[optimize]\noptimize_for = "balanced"\n')
    same = publish(tmp_path / "adder", tmp_path / "store", progress=Silent())
    assert (same.version, same.created) == (first.version, False)
    recipe.write_text('[optimize]\noptimize_for = "cold"\n')
    other = publish(tmp_path / "adder", tmp_path / "store", progress=Silent())
    assert (other.version, other.created) == (2, True)


def test_the_data_of_a_pipeline_has_chunks_as_the_graph_has_and_golden_cases_have_none(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "adder"
    write_adder(folder, 1.0)
    case = folder / "golden" / "one"
    case.mkdir(parents=True)
    large = CHUNK_BYTES + 1
    (folder / "data.bin").write_bytes(bytes(large))
    (folder / "pipeline.py").write_text(
        "import numpy as np\n"
        "def decode(request): return {'x': np.zeros((1, 2), np.float32)}\n"
        "def encode(outputs, request): return {'y': 1.0}\n"
    )
    (case / "request.bin").write_bytes(bytes(large))
    (case / "expected.json").write_text('{"y": 1.0}')
    (folder / "model.toml").write_text(
        '[pipeline]\nfile = "pipeline.py"\ndata = ["data.bin"]\n[golden]\nfolder = "golden"\n'
    )
    publish(folder, tmp_path / "store", progress=Silent())
    chunks = preparation_of(tmp_path / "store", "adder").chunks
    zeros = [hashlib.sha256(bytes(size)).hexdigest() for size in (CHUNK_BYTES, 1)]
    assert chunks == {"pipeline/data.bin": tuple(zeros)}
