"""An answer beyond Lambda's limit is refused here, with a reason for the caller."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from inference.errors import TooLargeError
from inference.http.limits import PAYLOAD_LIMIT_BYTES
from inference.http.responses import body_answer
from tests.support.calls import http_event, infer, predict, send

if TYPE_CHECKING:
    from inference.http.application import Application

TOO_LARGE = {
    "text": ("x", PAYLOAD_LIMIT_BYTES),
    "text that JSON escapes": ('"', 3_200_000),
    "text of line breaks": ("\n", 3_200_000),
    "text of two bytes a character": ("é", 3_200_000),
}


@pytest.mark.parametrize(("unit", "times"), TOO_LARGE.values(), ids=TOO_LARGE)
def test_an_answer_over_the_limit_is_refused(surface: Application, unit: str, times: int) -> None:
    query = {"encode": "big", "unit": unit, "times": str(times)}
    answer = predict(surface, "echo", query=query)
    assert answer.status == 413
    assert f"Lambda takes at most {PAYLOAD_LIMIT_BYTES}" in answer.error
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(("unit", "times"), [("x", 6_000_000), ("é", 1_000_000), ('"', 3_000_000)])
def test_an_answer_under_the_limit_is_given(surface: Application, unit: str, times: int) -> None:
    query = {"encode": "big", "unit": unit, "times": str(times)}
    answer = predict(surface, "echo", query=query)
    assert (answer.status, answer.body) == (200, (unit * times).encode())


@pytest.mark.parametrize(("body", "size"), [("x", 6_291_457), (b"x", 4_718_593)])
def test_a_body_that_cannot_fit_is_refused_before_an_answer_is_made_of_it(
    body: str | bytes, size: int
) -> None:
    with pytest.raises(TooLargeError, match=f"at most {PAYLOAD_LIMIT_BYTES}"):
        body_answer("text/plain", body * size, {}, None)
    body_answer("text/plain", body * (size - 1), {}, None)


def test_every_answer_that_is_given_fits(surface: Application) -> None:
    for times in range(PAYLOAD_LIMIT_BYTES - 1200, PAYLOAD_LIMIT_BYTES, 200):
        query = {"encode": "big", "unit": "x", "times": str(times)}
        given = surface(http_event("POST", "/models/echo/predict", query=query), None)
        assert len(json.dumps(given)) <= PAYLOAD_LIMIT_BYTES


def test_an_inference_over_the_limit_is_refused(surface: Application) -> None:
    words = ["x" * 1000] * 6_300
    x = {"name": "x", "shape": [len(words)], "datatype": "BYTES", "data": words}
    answer = infer(surface, {"inputs": [x]}, model="words")
    assert answer.status == 413
    assert infer(surface, {"inputs": [x | {"shape": [1], "data": ["a"]}]}, model="words").values
    assert send(surface, http_event("GET", "/v2")).status == 200
