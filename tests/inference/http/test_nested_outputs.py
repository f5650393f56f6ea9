"""Sequences and maps out of a graph: published, described, and answered as tensors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from onnx import TensorProto

from inference.errors import OutputError
from inference.http.application import Application
from inference.protocol.sequences import specs_of_map, to_tensors
from inference.settings import Settings
from model_sync.errors import TrialError
from tests.inference.http.nested_models import write_classifier, write_no_pieces, write_pieces
from tests.support.calls import Answer, http_event, infer, predict, send
from tests.support.models import write_identities
from tests.support.stores import publish_folder

if TYPE_CHECKING:
    from pathlib import Path

X = np.array([[1.0, 10.0], [2.0, 20.0]], np.float32)

PIPELINE = """
import numpy

def decode(request):
    return {"x": numpy.array([[1, 10]], numpy.float32)}

def encode(outputs, request):
    [scores] = outputs["probabilities"]
    return dict(zip(outputs["probabilities.keys"].tolist(), scores.tolist()))
"""


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    root = tmp_path_factory.mktemp("nested")
    write_classifier(root / "numbers", [3, 7])
    write_classifier(root / "words", ["cat", "dog", "bird"])
    write_classifier(root / "piped", ["cat", "dog"])
    write_pieces(root / "pieces", size=1)
    write_pieces(root / "pairs", size=2)
    write_pieces(root / "whole", size=2, kind=TensorProto.INT64)
    write_no_pieces(root / "none")
    for name in ("numbers", "words", "pieces", "pairs", "whole", "none"):
        publish_folder(root / "store", root / name)
    publish_folder(root / "store", root / "piped", pipeline=PIPELINE)
    return Application(Settings(root / "store", ref_ttl_s=3600.0))


def _infer(application: Application, model: str, x: Any = X, **more: Any) -> Answer:
    datatype = {"f": "FP32", "i": "INT64"}[x.dtype.kind]
    given = {"name": "x", "shape": list(x.shape), "datatype": datatype, "data": x.tolist()}
    return infer(application, {"inputs": [given], **more}, model=model)


def _outputs(answer: Answer) -> dict[str, tuple[str, list[int], list[Any]]]:
    assert answer.status == 200, answer.body
    return {
        each["name"]: (each["datatype"], each["shape"], each["data"])
        for each in answer.json["outputs"]
    }


def test_a_classifiers_maps_are_scores_by_row_and_the_classes_once(
    application: Application,
) -> None:
    assert _outputs(_infer(application, "numbers")) == {
        "label": ("INT64", [2], [7, 7]),
        "probabilities": ("FP32", [2, 2], [1.0, 11.0, 2.0, 22.0]),
        "probabilities.keys": ("INT64", [2], [3, 7]),
    }
    words = _outputs(_infer(application, "words", X[:1]))
    assert words["probabilities.keys"] == ("BYTES", [3], ["bird", "cat", "dog"])
    assert words["probabilities"] == ("FP32", [1, 3], [21.0, 1.0, 11.0])


def test_they_are_described_as_they_are_answered(application: Application) -> None:
    described = send(application, http_event("GET", "/v2/models/words")).json["outputs"]
    assert described == [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, -1]},
        {"name": "probabilities.keys", "datatype": "BYTES", "shape": [-1]},
    ]


@pytest.mark.parametrize(
    "wanted",
    [["probabilities.keys"], ["probabilities.keys", "label"], ["probabilities", "label"]],
)
def test_what_is_asked_for_comes_in_the_order_asked_for(
    application: Application, wanted: list[str]
) -> None:
    answer = _infer(application, "numbers", outputs=[{"name": name} for name in wanted])
    assert list(_outputs(answer)) == wanted


def test_no_rows_are_no_maps_and_their_keys_are_not_known(application: Application) -> None:
    found = _outputs(_infer(application, "numbers", np.empty((0, 2), np.float32)))
    assert found["probabilities"] == ("FP32", [0, 0], [])
    assert found["probabilities.keys"] == ("INT64", [0], [])


def test_they_come_as_bytes_where_they_are_asked_for_so(application: Application) -> None:
    answer = _infer(application, "numbers", parameters={"binary_data_output": True})
    length = int(answer.headers["Inference-Header-Content-Length"])
    sizes = [
        each["parameters"]["binary_data_size"]
        for each in json.loads(answer.body[:length])["outputs"]
    ]
    assert sizes == [16, 16, 16]
    assert np.frombuffer(answer.body[length + 16 : length + 32], "<f4").tolist() == [1, 11, 2, 22]


def test_a_pipeline_gets_them_as_arrays(application: Application) -> None:
    assert predict(application, "piped").json == {"cat": 1.0, "dog": 11.0}


def test_a_sequence_of_tensors_is_one_tensor_with_a_dimension_more(
    application: Application,
) -> None:
    assert _outputs(_infer(application, "pieces")) == {
        "pieces": ("FP32", [2, 1, 2], X.ravel().tolist())
    }
    whole = _outputs(_infer(application, "whole", X.astype(np.int64)))
    assert whole == {"pieces": ("INT64", [1, 2, 2], [1, 10, 2, 20])}


def test_an_empty_sequence_is_an_empty_tensor(application: Application) -> None:
    found = _outputs(_infer(application, "none"))
    assert found["pieces"] == ("FP32", [0, 0, 2], [])
    assert found["y"][2] == X.ravel().tolist()


def test_tensors_of_different_shapes_are_an_error_that_says_so(application: Application) -> None:
    assert _infer(application, "pairs", np.ones((4, 2), np.float32)).status == 200
    answer = _infer(application, "pairs", np.ones((3, 2), np.float32))
    assert answer.status == 500
    assert (
        "'pieces' is a sequence of tensors of different shapes, [1, 2] and [2, 2]" in answer.error
    )


def test_maps_of_different_keys_are_an_error_that_says_so() -> None:
    specs = {spec.name: spec for spec in specs_of_map("p", "BYTES", "FP32", in_sequence=True)}
    maps = [{"a": 1.0, "b": 2.0}, {"a": 1.0, "c": 2.0}]
    with pytest.raises(OutputError, match="'p' is a sequence of maps of different keys"):
        to_tensors(maps, "seq(map(string,tensor(float)))", specs, "p")


def test_bf16_beside_strings_is_refused_when_it_is_published(tmp_path: Path) -> None:
    both = {"BF16": TensorProto.BFLOAT16, "BYTES": TensorProto.STRING}
    write_identities(tmp_path / "both", both)
    with pytest.raises(TrialError, match="it has BF16 beside strings or sequences"):
        publish_folder(tmp_path / "store", tmp_path / "both")
