"""The repository index, loading and unloading, and the configuration that Triton's clients read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from model_store.refs import State
from tests.support.calls import Answer, add, get, http_event, send
from tests.support.damage import flip_a_byte
from tests.support.stores import ADDER, STEP, publish_adder, set_state, version_folder
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from inference.http.application import Application


def post(application: Application, path: str, body: str | None = None) -> Answer:
    return send(application, http_event("POST", path, body=body))


def index(application: Application, **request: Any) -> list[dict[str, str]]:
    answer = post(application, "/v2/repository/index", json.dumps(request) if request else None)
    assert answer.status == 200
    found: list[dict[str, str]] = answer.json
    return found


def entry(version: int, state: str, reason: str = "", name: str = ADDER) -> dict[str, str]:
    return {"name": name, "version": str(version), "state": state, "reason": reason}


COLD = "not loaded in this environment"


def test_the_models_are_listed(application: Application, store: Path) -> None:
    publish_adder(store, 1.0, name="other")
    assert get(application, "/v2/models").json == {"models": [ADDER, "other"]}


def test_the_index_says_of_each_version_whether_it_is_here(
    application: Application, store: Path
) -> None:
    assert index(application) == [entry(n, "UNAVAILABLE", COLD) for n in (1, 2, 3)]
    add(application, [1.0, 2.0])
    set_state(store, 2, State.RETIRED)
    set_state(store, 1, State.DELETED)
    assert index(application) == [entry(2, "UNAVAILABLE", "retired"), entry(3, "READY")]
    assert index(application, ready=True) == [entry(3, "READY")]
    assert index(application, ready=False) == index(application)


def test_the_index_says_why_a_version_is_not_here(application: Application, store: Path) -> None:
    flip_a_byte(version_folder(store, 2) / "source/model.onnx")
    assert add(application, [1.0, 2.0], version=2).status == 503
    [_, broken, _] = index(application)
    assert broken["state"] == "UNAVAILABLE"
    assert "is damaged" in broken["reason"]


@pytest.mark.parametrize("body", ["[]", '{"ready": 1}', "{"])
def test_an_index_request_that_is_none_is_refused(application: Application, body: str) -> None:
    assert post(application, "/v2/repository/index", body).status == 400


def test_a_model_is_loaded_and_unloaded_here(application: Application) -> None:
    assert post(application, f"/v2/repository/models/{ADDER}/load").status == 200
    assert index(application, ready=True) == [entry(3, "READY")]
    assert post(application, f"/v2/repository/models/{ADDER}/unload").status == 200
    assert index(application, ready=True) == []
    used = "used_bytes"
    wait_until(lambda: application.probe()["environment"][used] == 0)
    assert add(application, [1.0, 2.0]).values == [1.0 + 3 * STEP, 2.0 + 3 * STEP]


@pytest.mark.parametrize("verb", ["load", "unload"])
def test_a_model_that_is_not_there_is_neither_loaded_nor_unloaded(
    application: Application, verb: str
) -> None:
    assert post(application, f"/v2/repository/models/nosuch/{verb}").status == 404


@pytest.mark.parametrize("place", ["adder", "adder/versions/1", "adder/labels/latest"])
def test_the_configuration_is_in_tritons_form(application: Application, place: str) -> None:
    answer = get(application, f"/v2/models/{place}/config")
    tensor = {"data_type": "TYPE_FP32", "dims": [-1, 2]}
    assert (answer.status, answer.json) == (
        200,
        {
            "name": ADDER,
            "platform": "onnxruntime_onnx",
            "backend": "onnxruntime",
            "max_batch_size": 0,
            "version_policy": {"specific": {"versions": [1, 2, 3]}},
            "input": [{"name": "x"} | tensor],
            "output": [{"name": "y"} | tensor],
        },
    )


def test_a_configuration_of_nothing_is_not_found(application: Application) -> None:
    assert get(application, "/v2/models/nosuch/config").status == 404
    assert get(application, "/v2/models/adder/labels/nosuch/config").status == 404


def test_sagemakers_addresses_are_the_same_as_ours(application: Application) -> None:
    assert get(application, "/ping").json == get(application, "/v2/health/ready").json
    refused = post(application, "/invocations", "x")
    assert (refused.status, refused.json) == (
        400,
        post(application, "/predict", "x").json,
    )
