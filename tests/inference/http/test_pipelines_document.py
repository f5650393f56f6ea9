"""The pipeline in docs/pipelines.md, published and called as the page says."""

from __future__ import annotations

import re

import pytest

from inference.http.application import Application
from inference.settings import Settings
from tests.support.calls import predict
from tests.support.places import ROOT
from tests.support.stores import publish_adder

PAGE = ROOT / "docs" / "pipelines.md"


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    store = tmp_path_factory.mktemp("document") / "store"
    publish_adder(store, 1.0, pipeline=code)
    return Application(Settings(store))


def test_it_answers(application: Application) -> None:
    answer = predict(application, "adder", b"[1, 5]")
    assert answer.json == {"strongest": 1, "magnitudes": [2.0, 6.0]}


def test_what_it_refuses_is_the_callers_fault_in_its_words(application: Application) -> None:
    answer = predict(application, "adder", b"{}")
    assert answer.status == 400
    assert answer.error == "the input was refused: expected a list of numbers"
    assert predict(application, "adder", b"no JSON").status == 400


def test_tensors_that_do_not_fit_are_its_own(application: Application) -> None:
    answer = predict(application, "adder", b"[1, 2, 3]")
    assert answer.status == 500
    assert "decode() does not fit the model" in answer.error
