from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from inference.http.application import Application
from inference.settings import Settings
from model_sync.store_io.create_store import open_store
from tests.support.calls import add, get, http_event, infer, predict, send
from tests.support.models import adder_request

if TYPE_CHECKING:
    from pathlib import Path

LIVE, READY = "/v2/health/live", "/v2/health/ready"


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A store in which nothing was published."""
    return open_store(tmp_path / "store").root


def over(store: Path, default_model: str | None = None) -> Application:
    return Application(Settings(store, default_model, ref_ttl_s=0.0))


def test_what_is_published_makes_it_ready(application: Application) -> None:
    answer = get(application, READY)
    assert (answer.status, answer.json) == (200, {"live": True, "ready": True})


def test_live_has_both_keys_and_tells_whether_anything_was_seen(application: Application) -> None:
    assert get(application, LIVE).json == {"live": True, "ready": False}
    add(application, [1.0, 2.0])
    assert get(application, LIVE).json == {"live": True, "ready": True}


@pytest.mark.parametrize("there", [True, False])
def test_liveness_does_not_need_the_store(store: Path, there: bool) -> None:
    application = over(store)
    if not there:
        shutil.rmtree(store)
    assert get(application, LIVE).status == 200


def test_an_empty_store_is_not_ready(empty: Path) -> None:
    answer = get(over(empty), READY)
    assert answer.status == 503
    document = answer.json
    assert (document["live"], document["ready"]) == (True, False)
    assert "nothing is published in the store" in document["error"]


def test_every_call_to_an_empty_store_says_so(empty: Path) -> None:
    for application in (over(empty), over(empty, "adder")):
        answers = [
            infer(application, adder_request([1.0, 2.0])),
            infer(application, adder_request([1.0, 2.0]), version=1),
            predict(application, "adder"),
            send(application, http_event("POST", "/predict", body=b"x")),
            get(application, "/v2/models/adder"),
            get(application, "/v2/models/adder/ready"),
        ]
        for answer in answers:
            assert answer.status == 503
            assert "nothing is published in the store: publish a model first" in answer.error


def test_a_published_store_says_which_model_it_lacks(application: Application) -> None:
    answer = infer(application, adder_request([1.0, 2.0]), model="nosuch")
    assert answer.status == 404


def test_a_missing_store_is_not_an_empty_one(tmp_path: Path) -> None:
    for root in (tmp_path / "nowhere", tmp_path):
        application = over(root, "adder")
        ready = get(application, READY)
        assert (ready.status, ready.json["ready"]) == (503, False)
        answers = [
            infer(application, adder_request([1.0, 2.0])),
            predict(application, "adder"),
            get(application, "/v2/models/adder"),
            send(application, http_event("POST", "/predict", body=b"x")),
        ]
        for error in [ready.json["error"], *(answer.error for answer in answers)]:
            assert f"there is no store at {root}" in error
        assert {answer.status for answer in answers} == {503}


def test_a_default_model_that_is_not_published_is_not_ready(store: Path) -> None:
    answer = get(over(store, "other"), READY)
    assert answer.status == 503
    assert answer.json["error"] == "the default model 'other' is not published"
    assert get(over(store, "adder"), READY).status == 200


def test_a_store_that_goes_away_makes_it_unready_and_goes_on_answering(
    application: Application, store: Path
) -> None:
    assert add(application, [1.0, 2.0]).status == 200
    store.rename(store.with_name("unmounted"))
    assert get(application, READY).status == 503
    assert add(application, [1.0, 2.0]).values == [301.0, 302.0]
    store.with_name("unmounted").rename(store)
    assert get(application, READY).status == 200
