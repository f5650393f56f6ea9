"""`GET /models/{model}`: what the page reads of a model that the protocol does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from inference.http.application import Application
from inference.settings import Settings
from model_store.refs import State
from tests.inference.http.page.stores import make_empty_store
from tests.support.calls import add, get, http_event, predict, send
from tests.support.stores import refs_of, set_state

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.store_of("page_store")


@pytest.fixture
def cold(store: Path) -> Application:
    """An application over `store` in which nothing is loaded."""
    return Application(Settings(store, ref_ttl_s=0.0))


def versions(application: Application, model: str = "adder") -> dict[int, dict[str, Any]]:
    return {each["version"]: each for each in get(application, f"/models/{model}").json["versions"]}


def test_it_says_what_refs_know(cold: Application, store: Path) -> None:
    answer = get(cold, "/models/adder").json
    assert answer["labels"] == {"latest": 3, "stable": 2, "canary": 4}
    assert answer["split"] == {"canary": 10}
    refs = refs_of(store)
    assert (answer["name"], answer["generation"]) == ("adder", refs.generation)
    assert answer["versions"][1] == {
        "version": 2,
        "state": "available",
        "published_at": refs.versions[2].published_at,
        "size_bytes": refs.versions[2].size_bytes,
        "ready": False,
        "reason": "not loaded in this environment",
    }


def test_a_version_is_ready_once_it_is_in_memory(cold: Application) -> None:
    assert add(cold, [1.0, 2.0], version=2).status == 200
    assert [(n, each["ready"]) for n, each in versions(cold).items() if each["ready"]] == [
        (2, True)
    ]
    assert versions(cold)[2]["reason"] == ""


def test_what_is_out_of_service_is_said_to_be_and_what_is_deleted_is_not_there(
    cold: Application, store: Path
) -> None:
    assert versions(cold)[1]["state"] == versions(cold)[1]["reason"] == "retired"
    set_state(store, 1, State.DELETED)
    assert list(versions(cold)) == [2, 3, 4]


def test_a_version_that_failed_says_why(cold: Application) -> None:
    assert send(cold, http_event("POST", "/models/broken/predict", body="x")).status == 503
    [only] = versions(cold, "broken").values()
    assert only["ready"] is False
    assert "is damaged" in only["reason"]


@pytest.mark.parametrize(("model", "expected"), [("adder", False), ("echo", True)])
def test_whether_a_version_has_a_pipeline_is_said_before_it_is_loaded_and_after(
    cold: Application, model: str, expected: bool
) -> None:
    before = get(cold, f"/models/{model}/labels/latest").json
    assert versions(cold, model)[before["version"]]["ready"] is False
    called = predict(cold, f"{model}/labels/latest")  # by its label: a split sends some elsewhere
    assert called.status == (200 if expected else 404)
    assert versions(cold, model)[before["version"]]["ready"] is True
    assert get(cold, f"/models/{model}/labels/latest").json == before
    assert before["pipeline"] is expected


def test_a_version_has_its_signature_with_its_open_sizes(cold: Application) -> None:
    answer = get(cold, "/models/adder/versions/2")
    assert answer.headers["Coldpress-Version"] == "2"
    assert answer.json == {
        "name": "adder",
        "version": 2,
        "pipeline": False,
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 2]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 2]}],
    }


REFUSED = {
    "/models/nosuch": (404, "named 'nosuch'"),
    "/models/No Such": (404, "is refused"),
    "/models/adder/versions/9": (404, "no version 9"),
    "/models/adder/versions/x": (404, "versions are numbers"),
    "/models/adder/versions/1": (410, "is retired"),
    "/models/adder/labels/nosuch": (404, "labelled 'nosuch'"),
    "/models/adder/predict": (405, "there is no GET /models/adder/predict"),
}


@pytest.mark.parametrize(("path", "expected"), REFUSED.items(), ids=REFUSED)
def test_what_is_not_there_is_refused(
    application: Application, path: str, expected: tuple[int, str]
) -> None:
    answer = get(application, path)
    assert answer.status == expected[0]
    assert expected[1] in answer.error


def test_of_an_empty_store_it_says_that_nothing_is_published(tmp_path: Path) -> None:
    make_empty_store(tmp_path / "store")
    answer = get(Application(Settings(tmp_path / "store")), "/models/adder")
    assert answer.status == 503
    assert "nothing is published" in answer.error


def test_a_pipeline_is_called_by_number_too(application: Application) -> None:
    event = http_event("POST", "/models/echo/versions/1/predict", body="hello")
    answer = send(application, event)
    assert (answer.status, answer.json["body"]) == (200, "hello")
    assert answer.headers["Coldpress-Version"] == "1"
    assert "Coldpress-Label" not in answer.headers
    assert send(application, http_event("POST", "/models/echo/versions/2/predict")).status == 404
