"""The Open Inference Protocol's addresses, by events as API Gateway sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from model_store.release import VERSION
from tests.support.calls import add, get, http_event, infer, send
from tests.support.events import event_file
from tests.support.models import adder_request
from tests.support.stores import STEP

if TYPE_CHECKING:
    from inference.http.application import Application

JSON = "application/json"


def test_the_server_says_what_it_is(surface: Application) -> None:
    answer = get(surface, "/v2")
    assert answer.status == 200
    assert answer.json == {
        "name": "coldpress",
        "version": VERSION,
        "extensions": [
            "binary_tensor_data",
            "model_configuration",
            "model_repository",
            "statistics",
        ],
    }
    assert answer.headers["Content-Type"] == JSON


def test_metadata_lists_the_versions_that_can_be_called(surface: Application) -> None:
    tensor = {"datatype": "FP32", "shape": [-1, 2]}
    answer = get(surface, "/v2/models/adder")
    assert answer.status == 200
    assert answer.json == {
        "name": "adder",
        "versions": ["2", "3"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "x"} | tensor],
        "outputs": [{"name": "y"} | tensor],
    }
    assert get(surface, "/v2/models/adder/versions/2").json == answer.json


@pytest.mark.parametrize("place", ["adder", "adder/versions/2"])
def test_a_model_that_loads_is_ready(surface: Application, place: str) -> None:
    answer = get(surface, f"/v2/models/{place}/ready")
    assert (answer.status, answer.json) == (200, {"name": "adder", "ready": True})


def test_the_event_of_the_documentation_is_answered(surface: Application) -> None:
    answer = send(surface, event_file("http_api_documented"))
    assert (answer.status, answer.error) == (404, "there is no POST /my/path")


def test_an_inference_by_an_event_file(surface: Application) -> None:
    answer = send(surface, event_file("http_api_infer"))
    assert answer.status == 200
    assert answer.headers["Content-Type"] == JSON
    assert answer.json == {
        "model_name": "adder",
        "model_version": "3",
        "outputs": [
            {
                "name": "y",
                "datatype": "FP32",
                "shape": [1, 2],
                "data": [1 + 3 * STEP, 2 + 3 * STEP],
            }
        ],
    }


def test_a_named_stage_is_no_part_of_the_path(surface: Application) -> None:
    assert send(surface, event_file("http_api_stage")).values == [301.0, 302.0]


def test_an_inference_by_number_answers_by_that_version(surface: Application) -> None:
    assert add(surface, [1.0, 2.0], version=2).json["model_version"] == "2"
    assert add(surface, [1.0, 2.0], version=2).values == [201.0, 202.0]


def test_a_body_may_come_as_base64(surface: Application) -> None:
    body = event_file("http_api_infer")["body"].encode()
    answer = send(surface, http_event("POST", "/v2/models/adder/infer", body=body))
    assert answer.values == [301.0, 302.0]


def test_several_rows_nested_or_flat_are_one_batch(surface: Application) -> None:
    request = adder_request([1.0, 2.0, 3.0, 4.0])
    flat = infer(surface, request)
    request["inputs"][0]["data"] = [[1.0, 2.0], [3.0, 4.0]]  # type: ignore[index]
    assert infer(surface, request).json == flat.json
    assert flat.json["outputs"][0]["shape"] == [2, 2]


def test_a_batch_of_no_rows_is_answered_by_none(surface: Application) -> None:
    output = infer(surface, adder_request([])).json["outputs"][0]
    assert (output["shape"], output["data"]) == ([0, 2], [])


@pytest.mark.parametrize("name", ["", "a", "\n", "é" * 100])
def test_an_id_is_echoed(surface: Application, name: str) -> None:
    assert infer(surface, adder_request([1.0, 2.0]) | {"id": name}).json["id"] == name


@pytest.mark.parametrize(
    ("asked", "given"),
    [([], ["y", "z"]), (["z"], ["z"]), (["z", "y"], ["z", "y"])],
)
def test_the_outputs_asked_for_are_given_in_order(
    surface: Application, asked: list[str], given: list[str]
) -> None:
    document: dict[str, Any] = {
        "inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [2.0]}],
        "outputs": [{"name": name} for name in asked],
    }
    answer = infer(surface, document, model="reciprocal")
    assert [output["name"] for output in answer.json["outputs"]] == given


def test_a_float_that_json_has_no_form_for_is_null(surface: Application) -> None:
    x = {"name": "x", "shape": [3], "datatype": "FP32", "data": [0.0, 2.0, -0.0]}
    answer = infer(surface, {"inputs": [x]}, model="reciprocal")
    assert answer.status == 200
    assert answer.json["outputs"][0]["data"] == [None, 0.5, None]


def test_strings_come_through(surface: Application) -> None:
    words = ["", "a\x00b", "é😀", '"\\\n']
    x = {"name": "x", "shape": [4], "datatype": "BYTES", "data": words}
    assert infer(surface, {"inputs": [x]}, model="words").values == words


def test_the_content_type_of_a_request_does_not_matter(surface: Application) -> None:
    event = event_file("http_api_infer")
    for content_type in (None, "text/plain", "application/octet-stream", ""):
        event["headers"].pop("content-type", None)
        if content_type is not None:
            event["headers"]["content-type"] = content_type
        assert send(surface, event).status == 200
