from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest

from inference.errors import BadRequestError, LoadError, PipelineError, UnknownError
from inference.loading.loader import RUNTIME, load_folder, load_version
from inference.loading.variant_files import files_of_plain
from inference.pipeline import Request
from model_store.digests import Digest
from model_store.errors import DamagedError
from model_store.layout import StoreLayout
from model_store.preparation import runtime_key
from model_store.reading import read_version
from tests.support.models import write_gather, write_reciprocal, write_sum, write_zeros
from tests.support.stores import (
    ADDER,
    STEP,
    commit,
    entry_of,
    publish_adder,
    publish_folder,
    version_folder,
)
from tests.support.threads import at_once

if TYPE_CHECKING:
    from pathlib import Path

    from inference.loading.loaded_version import LoadedVersion
    from model_store.refs import Refs
    from model_store.version import VersionManifest

ROW = np.array([[1.0, 2.0]], np.float32)


def load(store: Path, name: str = ADDER, number: int = 1) -> LoadedVersion:
    return load_version(StoreLayout(store), name, number, entry_of(store, number, name))


def publish_and_load(root: Path, name: str) -> LoadedVersion:
    publish_folder(root / "store", root / name)
    return load(root / "store", name)


def manifest_of(store: Path, number: int) -> VersionManifest:
    return read_version(StoreLayout(store), ADDER, entry_of(store, number))


def test_a_loaded_version_says_what_it_is(store: Path) -> None:
    loaded = load(store, number=2)
    manifest = manifest_of(store, 2)
    assert (loaded.model, loaded.number, loaded.pipeline) == (ADDER, 2, None)
    assert loaded.digest == str(manifest.content.digest)
    assert loaded.signature == manifest.signature
    assert loaded.run({"x": ROW})["y"].tolist() == [[1 + 2 * STEP, 2 + 2 * STEP]]


def test_the_runtime_is_what_publishing_prepares_for(store: Path) -> None:
    assert set(entry_of(store, 1).preparations) == {RUNTIME}
    assert RUNTIME.startswith("ort-")
    assert runtime_key("1.2.3", "AMD64") == "ort-1.2.3-x86_64-p4"


def test_without_a_preparation_for_this_runtime_the_plain_form_loads(store: Path) -> None:
    def other_runtime(refs: Refs) -> Refs:
        entry = refs.versions[1]
        prepared = {"ort-0.0.1-riscv-p1": entry.preparations[RUNTIME]}
        entry = entry._replace(preparations=prepared)
        return refs._replace(versions={**refs.versions, 1: entry})

    commit(store, ADDER, other_runtime)
    assert load(store).run({"x": ROW})["y"].tolist() == [[1 + STEP, 2 + STEP]]


def test_the_preparations_session_options_are_used(store: Path) -> None:
    preparation = entry_of(store, 1).preparations[RUNTIME]
    path = StoreLayout(store).model(ADDER).preparation(preparation) / "manifest.json"
    manifest = json.loads(path.read_bytes())
    manifest["variants"][0]["config"] = {"session.intra_op_thread_affinities": "nonsense"}
    path.write_text(json.dumps(manifest))
    with pytest.raises(LoadError, match="ONNX Runtime cannot load"):
        load(store)


def test_the_outputs_asked_for_are_run_in_their_order(tmp_path: Path) -> None:
    write_reciprocal(tmp_path / "two")
    loaded = publish_and_load(tmp_path, "two")
    x = {"x": np.array([2.0], np.float32)}
    assert list(loaded.run(x)) == ["y", "z"]
    assert list(loaded.run(x, ["z", "y"])) == ["z", "y"]
    assert {k: v.tolist() for k, v in loaded.run(x, ["z"]).items()} == {"z": [-2.0]}


def test_sizes_that_do_not_fit_each_other_are_the_callers_fault(tmp_path: Path) -> None:
    write_sum(tmp_path / "sum")
    loaded = publish_and_load(tmp_path, "sum")
    tensors = {"a": np.ones((2, 2), np.float32), "b": np.ones((3, 2), np.float32)}
    with pytest.raises(BadRequestError) as caught:
        loaded.run(tensors)
    message = str(caught.value)
    assert message.startswith("the model refused the input: ")
    assert "2 by 3" in message
    assert "\n" not in message


def test_a_refusal_does_not_show_where_the_runtimes_code_lies(tmp_path: Path) -> None:
    write_sum(tmp_path / "sum")
    loaded = publish_and_load(tmp_path, "sum")
    with pytest.raises(BadRequestError) as caught:
        loaded.run({"a": np.ones((2, 2), np.float32), "b": np.ones((3, 2), np.float32)})
    assert "/onnxruntime_src/" not in str(caught.value)
    assert ".h:" not in str(caught.value)


def test_an_index_out_of_range_is_the_callers_fault(tmp_path: Path) -> None:
    write_gather(tmp_path / "gather")
    loaded = publish_and_load(tmp_path, "gather")
    data = np.zeros(3, np.float32)
    with pytest.raises(BadRequestError, match="the model refused the input"):
        loaded.run({"data": data, "x": np.array([7], np.int64)})
    assert loaded.run({"data": data, "x": np.array([2], np.int64)})["y"].tolist() == [0.0]


def test_memory_that_is_not_there_is_not_the_callers_fault(tmp_path: Path) -> None:
    write_zeros(tmp_path / "zeros")
    loaded = publish_and_load(tmp_path, "zeros")
    assert loaded.run({"x": np.array([3], np.int64)})["y"].tolist() == [0, 0, 0]
    with pytest.raises(Exception, match="bad_alloc") as caught:
        loaded.run({"x": np.array([2**50], np.int64)})
    assert not isinstance(caught.value, BadRequestError)


def test_a_mistake_in_calling_the_session_is_not_the_callers_fault(store: Path) -> None:
    with pytest.raises(ValueError, match="Required inputs"):
        load(store).run({})


def test_a_version_runs_in_several_threads_at_once(store: Path) -> None:
    loaded = load(store)

    def run(number: int) -> None:
        for count in range(50):
            x = np.full((1 + number, 2), number + count, np.float32)
            assert (loaded.run({"x": x})["y"] == x + STEP).all()

    at_once(8, run)


def test_without_a_pipeline_there_is_nothing_to_predict_with(store: Path) -> None:
    with pytest.raises(UnknownError) as caught:
        load(store).predict(Request(b""))
    assert str(caught.value) == "model 'adder' has no pipeline: call /v2/models/adder/infer"


@pytest.mark.parametrize(
    ("decode", "said"),
    [
        ("{}", "input 'x' is missing"),
        ("{'x': numpy.ones((1, 2))}", "dtype float64, expected float32"),
        ("{'x': numpy.ones((1, 3), 'f4')}", "shape [1, 3], expected [-1, 2]"),
    ],
)
def test_a_pipeline_that_does_not_fit_its_graph_is_at_fault(
    tmp_path: Path, decode: str, said: str
) -> None:
    code = f"""
import numpy
def decode(request): return {decode}
def encode(outputs, request): return outputs
"""
    publish_adder(tmp_path / "store", 1.0, pipeline=code)
    with pytest.raises(PipelineError) as caught:
        load(tmp_path / "store").predict(Request(b""))
    assert str(caught.value).startswith("decode() does not fit the model: ")
    assert said in str(caught.value)


def test_a_graph_whose_inputs_are_not_the_signatures_is_refused(store: Path) -> None:
    manifest = manifest_of(store, 1)
    x = manifest.signature.inputs[0]
    folder = version_folder(store, 1)
    for signature in (
        manifest.signature._replace(inputs=(x._replace(name="other"),)),
        manifest.signature._replace(inputs=(x, x._replace(name="z"))),
        manifest.signature._replace(outputs=()),
    ):
        wrong = manifest._replace(signature=signature)
        with pytest.raises(LoadError, match="puts are not the signature's"):
            load_folder(folder, wrong, 1, layout=StoreLayout(store))


def test_what_onnxruntime_cannot_load_is_refused_by_the_files_name(store: Path) -> None:
    manifest = manifest_of(store, 1)
    folder = version_folder(store, 1)
    graph = folder / "source/model.onnx"
    graph.write_bytes(b"\x08\x07 no model")
    entry = manifest.content.files[0]._replace(
        size_bytes=graph.stat().st_size, digest=Digest.of_bytes(graph.read_bytes())
    )
    content = manifest.content._replace(files=(entry,))
    with pytest.raises(LoadError) as caught:
        load_folder(folder, manifest._replace(content=content), 1, layout=StoreLayout(store))
    message = str(caught.value)
    assert message.startswith("ONNX Runtime cannot load model.onnx: ")
    assert os.fspath(store) not in message
    assert "\n" not in message


def test_a_session_option_that_is_not_one_is_refused(store: Path) -> None:
    folder, manifest = version_folder(store, 1), manifest_of(store, 1)
    wrong = {"session.intra_op_thread_affinities": "nonsense"}
    form = files_of_plain(folder, manifest.content, wrong)
    with pytest.raises(LoadError):
        load_folder(folder, manifest, 1, layout=StoreLayout(store), variant_files=form)


@pytest.mark.parametrize("path", ["model.onnx", "golden/model.onnx", "pipeline/model.onnx"])
def test_a_graph_is_checked_wherever_its_manifest_says_that_it_lies(store: Path, path: str) -> None:
    manifest = manifest_of(store, 1)
    folder = version_folder(store, 1)
    graph = (folder / "source/model.onnx").read_bytes()
    constant, other = np.float32(STEP).tobytes(), np.float32(7).tobytes()
    assert graph.count(constant) == 1
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(graph.replace(constant, other))
    entry = manifest.content.files[0]._replace(path=path)
    content = manifest.content._replace(files=(entry,), model_file=path)
    with pytest.raises((LoadError, DamagedError)):
        load_folder(folder, manifest._replace(content=content), 1, layout=StoreLayout(store))
