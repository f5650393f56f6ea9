"""A version is tried in a process of its own: whatever it does there, the publisher goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from bench.heavy_model import LAYER_BYTES, write_heavy_model
from model_store.documents import now
from model_store.layout import MANIFEST, StoreLayout
from model_store.names import new_id
from model_store.variant import PLAIN, Variant
from model_store.version import VersionManifest
from model_sync.errors import TrialError
from model_sync.graphs.inspection import inspect
from model_sync.preparation.trial import try_version
from model_sync.preparation.trial_outputs import save_plain
from model_sync.progress import Silent
from model_sync.publishing.contents import stage_contents
from model_sync.sources.folder import FolderSource
from model_sync.sources.recipe import read_recipe
from tests.support.model_folders import PIPELINE, write_bare, write_full
from tests.support.models import write_graph
from tests.support.snapshots import snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from model_store.variant import Measurement

pytestmark = pytest.mark.own_processes

ENDINGS = {
    "raises at import": (
        "raise ValueError('no words')",
        "^pipeline.py failed while it was loaded: no words",
    ),
    "ends its process": ("import os; os._exit(3)", "ended early: exit code 3"),
    "ends its process with success": ("import os; os._exit(0)", "ended early: exit code 0"),
    "segmentation fault": ("import ctypes; ctypes.string_at(0)", "with SIGSEGV"),
}


def _stage(source: Path, folder: Path) -> Path:
    """Stage a model's folder as publishing does, and return the staged folder."""
    folder.mkdir()
    files = FolderSource(source)
    recipe = read_recipe(files, implied_name="adder")
    content = stage_contents(recipe, files, folder, Silent())
    signature = inspect(folder / content.model_file, content.model_file)
    manifest = VersionManifest("adder", new_id(), now(), signature, content)
    (folder / MANIFEST).write_bytes(manifest.render())
    return folder


def _store(root: Path) -> StoreLayout:
    """Folder of package sets, which none of these versions has."""
    return StoreLayout(root / "store")


def _try(tmp_path: Path, source: Path) -> Measurement:
    folder = _stage(source, tmp_path / "staged")
    return try_version(folder, tmp_path / "result.json", layout=_store(tmp_path)).measurement


def test_a_version_that_works_is_measured(tmp_path: Path) -> None:
    found = _try(tmp_path, write_full(tmp_path / "model"))
    assert found.load_ms > 0
    assert found.first_ms > 0
    assert 0 < found.resident_bytes <= found.peak_bytes < 1 << 30


@pytest.mark.parametrize("external", [False, True], ids=["one file", "external data"])
def test_memory_of_its_own_is_told_from_what_is_mapped(tmp_path: Path, external: bool) -> None:
    write_heavy_model(tmp_path / "model" / "model.onnx", layers=8, external=external)
    folder = _stage(tmp_path / "model", tmp_path / "staged")
    config = {"session.disable_prepacking": "1"}  # else ONNX Runtime copies what it maps
    variant = Variant(PLAIN, "source/model.onnx", config, None)
    result = tmp_path / "result.json"
    found = try_version(folder, result, layout=_store(tmp_path), variant=variant).measurement
    own_bytes = found.resident_bytes - found.mapped_bytes
    weights_bytes = 8 * LAYER_BYTES
    if external:  # mapped, and not touched yet without a golden case: not in memory
        assert own_bytes < weights_bytes * 0.1
    else:
        assert weights_bytes <= own_bytes < weights_bytes * 1.1


def test_without_golden_cases_it_is_measured_on_what_its_signature_takes(tmp_path: Path) -> None:
    found = _try(tmp_path, write_bare(tmp_path / "model"))
    assert found.load_ms > 0
    assert 0 < found.warm_ms <= found.first_ms


def write_row_of_table(folder: Path) -> None:
    """Write y = the rows x - 2 of a table of one: 0 names none of them."""
    table = helper.make_tensor("table", TensorProto.FLOAT, [1, 2], [1.0, 2.0])
    two = helper.make_tensor("two", TensorProto.INT64, [], [2])
    write_graph(
        folder,
        [
            helper.make_node("Constant", [], ["t"], value=table),
            helper.make_node("Constant", [], ["two"], value=two),
            helper.make_node("Sub", ["x", "two"], ["row"]),
            helper.make_node("Gather", ["t", "row"], ["y"]),
        ],
        {"x": (TensorProto.INT64, ["n"])},
        {"y": (TensorProto.FLOAT, ["n", 2])},
    )


def test_what_refuses_inputs_made_of_its_signature_is_not_run(tmp_path: Path) -> None:
    write_row_of_table(tmp_path / "model")
    found = _try(tmp_path, tmp_path / "model")
    assert found.load_ms > 0
    assert found.first_ms == found.warm_ms == 0


def test_another_form_that_refuses_what_the_plain_one_ran_is_refused(tmp_path: Path) -> None:
    write_row_of_table(tmp_path / "model")
    folder = _stage(tmp_path / "model", tmp_path / "staged")
    variant = Variant("other", "source/model.onnx", {}, None)
    place: dict[str, Any] = {"layout": _store(tmp_path), "variant": variant, "prepared": folder}
    assert try_version(folder, tmp_path / "result.json", **place).measurement.warm_ms == 0
    save_plain(tmp_path, 0, {"y": np.zeros((1, 2), np.float32)})
    with pytest.raises(TrialError, match="it refuses inputs that the plain variant accepts"):
        try_version(folder, tmp_path / "result.json", **place)


def test_a_golden_case_without_a_pipeline_is_an_inference_request(tmp_path: Path) -> None:
    folder = write_full(tmp_path / "model", cases={"one": (_infer([1.0, 2.0]), _outputs([2, 3]))})
    (folder / "model.toml").write_text('[golden]\nfolder = "golden"\n')
    assert _try(tmp_path, folder).first_ms > 0


@pytest.mark.parametrize(
    ("cases", "reason"),
    [
        ({"a": ([1, 2], {"y": [2, 3.5]})}, r"case 'a' is answered wrongly: \$\.y\[1\] is 3"),
        ({"a": ([1, 2], {"y": [2, 3]}), "b": ([1, 2], {"y": [2]})}, "case 'b' is answered wrongly"),
        ({"a": ([1, 2, 3], {"y": [2, 3]})}, "case 'a' fails: decode"),
    ],
    ids=["a value", "the second case", "a request"],
)
def test_a_golden_case_that_fails_is_named(
    tmp_path: Path, cases: dict[str, tuple[Any, Any]], reason: str
) -> None:
    with pytest.raises(TrialError, match=reason) as caught:
        _try(tmp_path, write_full(tmp_path / "model", cases=cases))
    assert len(str(caught.value).splitlines()) == 1


def test_a_golden_case_may_be_off_by_its_tolerance(tmp_path: Path) -> None:
    cases = {"a": ([1, 2], {"y": [2.4, 2.6]})}
    assert _try(tmp_path, write_full(tmp_path / "model", cases=cases, more="atol = 0.5\n"))


@pytest.mark.parametrize(("line", "reason"), ENDINGS.values(), ids=ENDINGS)
def test_a_pipeline_that_ends_its_process_fails_the_trial_alone(
    tmp_path: Path, line: str, reason: str
) -> None:
    with pytest.raises(TrialError, match=reason) as caught:
        _try(tmp_path, write_full(tmp_path / "model", pipeline=f"{line}\n"))
    assert len(str(caught.value).splitlines()) == 1


def test_what_a_pipeline_prints_disturbs_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    noise = "import os, sys\nprint('{}' * 100_000)\nsys.stderr.write('x')\nos.write(1, b'\\xff')\n"
    assert _try(tmp_path, write_full(tmp_path / "model", pipeline=noise + PIPELINE))
    assert capfd.readouterr() == ("", "")


def test_a_pipeline_that_never_ends_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("model_sync.preparation.trial.DEADLINE_S", 0.5)
    folder = write_full(tmp_path / "model", pipeline="import time\ntime.sleep(60)\n")
    with pytest.raises(TrialError, match=r"did not end within 0\.5 s"):
        _try(tmp_path, folder)


@pytest.mark.usefixtures("typed")
def test_a_pipeline_that_reads_its_input_does_not_wait_for_a_person(tmp_path: Path) -> None:
    reads = "import sys\nassert sys.stdin.read() == ''\n"
    assert _try(tmp_path, write_full(tmp_path / "model", pipeline=reads + PIPELINE))


def test_a_model_that_the_runtime_cannot_load_is_refused(tmp_path: Path) -> None:
    folder = _stage(write_bare(tmp_path / "model"), tmp_path / "staged")
    graph = folder / "source" / "model.onnx"
    graph.write_bytes(graph.read_bytes()[:-1])
    with pytest.raises(TrialError, match=r"source/model\.onnx is damaged"):
        try_version(folder, tmp_path / "result.json", layout=_store(tmp_path))


def test_session_options_reach_the_session(tmp_path: Path) -> None:
    folder = _stage(write_bare(tmp_path / "model"), tmp_path / "staged")
    config = {"session.disable_prepacking": "neither 0 nor 1", "session.load_model_format": "ORT"}
    variant = Variant(PLAIN, "source/model.onnx", config, None)
    with pytest.raises(TrialError, match=r"cannot load model\.onnx"):
        try_version(folder, tmp_path / "result", layout=_store(tmp_path), variant=variant)


def test_the_folder_and_the_result_may_be_relative(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged = _stage(write_bare(tmp_path / "model"), tmp_path / "staged")
    monkeypatch.chdir(tmp_path)
    here = staged.relative_to(tmp_path)
    tried = try_version(here, here.with_name("result.json"), layout=_store(here))
    assert tried.measurement.load_ms > 0


def test_trying_a_version_does_not_change_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    folder = write_full(
        tmp_path / "model",
        pipeline="import pathlib, sys\n"
        "sys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
        "import words\n" + PIPELINE,
    )
    (folder / "words.py").write_text("WORDS = ()\n")
    recipe = (folder / "model.toml").read_text()
    data = 'file = "pipeline.py"\ndata = ["words.py"]'
    (folder / "model.toml").write_text(recipe.replace('file = "pipeline.py"', data))
    staged = _stage(folder, tmp_path / "staged")
    before = snapshot(staged)
    assert try_version(staged, tmp_path / "result.json", layout=_store(tmp_path))
    assert snapshot(staged) == before


def _infer(x: list[float]) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": x}]}


def _outputs(y: list[float]) -> dict[str, Any]:
    return {"outputs": [{"name": "y", "shape": [1, 2], "datatype": "FP32", "data": y}]}


def test_a_form_is_measured_with_the_threads_of_the_function_that_will_serve_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICT_MEMORY_MB", "1769")
    code = (
        "from inference.loading.session_threads import environment_threads as n\n"
        "raise ValueError(f'has {n()}')"
    )
    folder = write_full(tmp_path / "model", pipeline=code)
    with pytest.raises(TrialError, match=r"has 1$"):
        _try(tmp_path, folder)


@pytest.mark.parametrize("value", ["0", "2 GB", "-1", "²"])
def test_a_memory_that_is_no_number_of_megabytes_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("PREDICT_MEMORY_MB", value)
    with pytest.raises(TrialError, match=r"^PREDICT_MEMORY_MB is .*: expected a number of mega"):
        _try(tmp_path, write_full(tmp_path / "model"))
