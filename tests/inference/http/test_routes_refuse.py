"""Each refusal of the surface: its status, and what it says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.calls import Answer, http_event, infer, predict, send
from tests.support.models import adder_request

if TYPE_CHECKING:
    from inference.http.application import Application

GOOD = json.dumps(adder_request([1.0, 2.0]))

REFUSED: dict[str, tuple[str, str, str | None, int, str]] = {
    "another method, no path": ("POST", "", None, 405, "no POST : expected GET"),
    "no such route": ("GET", "/v1", None, 404, "there is no GET /v1"),
    "a slash too many": ("GET", "/v2/", None, 404, "there is no GET /v2/"),
    "two slashes": ("GET", "//v2", None, 404, "there is no GET //v2"),
    "two slashes within": ("GET", "/v2//models", None, 404, "there is no GET /v2//models"),
    "a slash after a model": ("GET", "/v2/models/adder/", None, 404, "no GET /v2/models/adder/"),
    "a query in the path": ("GET", "/v2?a=1", None, 404, "there is no GET /v2?a=1"),
    "a route in capitals": ("GET", "/V2", None, 404, "there is no GET /V2"),
    "another method": ("POST", "/v2", "{}", 405, "there is no POST /v2"),
    "GET for infer": ("GET", "/v2/models/adder/infer", None, 405, "there is no GET /v2/models"),
    "PUT for predict": ("PUT", "/predict", "x", 405, "there is no PUT /predict"),
    "DELETE": ("DELETE", "/v2/models/adder", None, 405, "there is no DELETE"),
    "HEAD": ("HEAD", "/v2/health/live", None, 405, "there is no HEAD"),
    "OPTIONS": ("OPTIONS", "/v2", None, 405, "there is no OPTIONS"),
    "no such model": ("POST", "/v2/models/nosuch/infer", GOOD, 404, "named 'nosuch'"),
    "no such model, metadata": ("GET", "/v2/models/nosuch", None, 404, "named 'nosuch'"),
    "no such model, ready": ("GET", "/v2/models/nosuch/ready", None, 404, "named 'nosuch'"),
    "no such model, predict": ("POST", "/models/nosuch/predict", "x", 404, "named 'nosuch'"),
    "no model's name": ("POST", "/v2/models/No Such/infer", GOOD, 404, "'No Such' is refused"),
    "a slash, encoded": ("GET", "/v2/models/a%2Fb", None, 404, "'a%2Fb' is refused: it must be"),
    "a zero, encoded": ("GET", "/v2/models/a%00b", None, 404, "'a%00b' is refused: it must be"),
    "a zero in a name": ("GET", "/v2/models/a\x00b", None, 404, "there is no GET "),
    "what was no UTF-8": ("GET", "/v2/models/a\ufffdb", None, 404, "there is no GET "),
    "65 letters": ("GET", f"/v2/models/{'a' * 65}", None, 404, "is refused: it must be"),
    "dots for a name": ("GET", "/v2/models/..", None, 404, "'..' is refused"),
    "no such version": ("POST", "/v2/models/adder/versions/9/infer", GOOD, 404, "no version 9"),
    "no such version, metadata": ("GET", "/v2/models/adder/versions/9", None, 404, "version 9"),
    "version 0": ("GET", "/v2/models/adder/versions/0", None, 404, "no version 0"),
    "a word for a version": (
        "POST", "/v2/models/adder/versions/latest/infer", GOOD, 404,
        "'latest' is no version: versions are numbers",
    ),
    "a negative version": ("GET", "/v2/models/adder/versions/-1", None, 404, "'-1' is no version"),
    "a signed version": ("GET", "/v2/models/adder/versions/+1", None, 404, "'+1' is no version"),
    "a zero before a version": ("GET", "/v2/models/adder/versions/03", None, 404, "'03' is no"),
    "a version in powers": ("GET", "/v2/models/adder/versions/1e0", None, 404, "'1e0' is no"),
    "a version with a point": ("GET", "/v2/models/adder/versions/2.0", None, 404, "no version"),
    "an Arabic digit": ("GET", "/v2/models/adder/versions/٣", None, 404, "is no version"),
    "20 digits": ("GET", f"/v2/models/adder/versions/{'9' * 20}", None, 404, "is no version"),
    "18 digits": ("GET", f"/v2/models/adder/versions/{'9' * 18}", None, 404, "has no version 999"),
    "5,000 digits": ("GET", f"/v2/models/adder/versions/{'9' * 5000}", None, 404, "no version"),
    "a retired version": ("POST", "/v2/models/adder/versions/1/infer", GOOD, 410, "is retired"),
    "a retired version, metadata": ("GET", "/v2/models/adder/versions/1", None, 410, "is retired"),
    "a retired version, ready": ("GET", "/v2/models/adder/versions/1/ready", None, 410, "retired"),
    "an empty body": ("POST", "/v2/models/adder/infer", None, 400, "the body is empty"),
    "no JSON": ("POST", "/v2/models/adder/infer", "{", 400, "the body is not JSON"),
    "a wrong request": ("POST", "/v2/models/adder/infer", "{}", 400, "'inputs' is missing"),
    "no default model": ("POST", "/predict", "x", 400, "there is no default model"),
    "no pipeline": ("POST", "/models/adder/predict", "x", 404, "model 'adder' has no pipeline"),
    "a broken version": ("POST", "/v2/models/broken/infer", GOOD, 503, "is damaged"),
    "a broken version, ready": ("GET", "/v2/models/broken/ready", None, 503, "is damaged"),
    "a broken version, predict": ("POST", "/models/broken/predict", "x", 503, "is damaged"),
}  # fmt: skip


def is_clean(answer: Answer) -> bool:
    text = answer.error
    return "\n" not in text and not any(
        part in text for part in ("Traceback", 'File "', "/work/", "site-packages", "_src/", ".cc:")
    )


@pytest.mark.parametrize("case", REFUSED.values(), ids=REFUSED)
def test_a_refusal_has_its_status_and_says_why(
    surface: Application, case: tuple[str, str, str | None, int, str]
) -> None:
    method, path, body, status, said = case
    answer = send(surface, http_event(method, path, body=body))
    assert answer.status == status
    assert said in answer.error
    assert is_clean(answer)
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("body", ["=", "a", "ab=c", "a\nb=", "é", "YQ", "YQ==x"])
def test_what_is_marked_as_base64_and_is_not_is_refused(surface: Application, body: str) -> None:
    for path in ("/v2/models/adder/infer", "/models/echo/predict"):
        event = http_event("POST", path, body=body)
        event["isBase64Encoded"] = True
        answer = send(surface, event)
        assert answer.status == 400
        assert answer.error == "the event's body is marked as base64 and is not"


def test_an_input_that_does_not_fit_is_named(surface: Application) -> None:
    answer = infer(surface, adder_request([1.0, 2.0]) | {"outputs": [{"name": "w"}]})
    assert (answer.status, answer.error) == (400, "there is no output 'w': expected 'y'")


def test_sizes_that_do_not_fit_each_other_are_refused(surface: Application) -> None:
    rows = [
        {"name": name, "shape": [n, 1], "datatype": "FP32", "data": [0.0] * n}
        for name, n in (("a", 2), ("b", 3))
    ]
    answer = infer(surface, {"inputs": rows}, model="sum")
    assert answer.status == 400
    assert "the model refused the input" in answer.error
    assert is_clean(answer)


def test_a_string_without_a_utf_8_form_is_refused(surface: Application) -> None:
    x = {"name": "x", "shape": [1], "datatype": "BYTES", "data": ["\ud800"]}
    answer = infer(surface, {"inputs": [x]}, model="words")
    assert answer.status == 400
    assert "the body is not JSON: no low surrogate in string" in answer.error


def test_a_shape_that_no_array_has_is_refused(surface: Application) -> None:
    x: dict[str, Any] = {"name": "a", "shape": [0, 2**62], "datatype": "FP32", "data": []}
    answer = infer(surface, {"inputs": [x, x | {"name": "b"}]}, model="sum")
    assert answer.status == 400


def test_an_error_that_nobody_foresaw_is_not_shown(surface: Application) -> None:
    x = {"name": "x", "shape": [1], "datatype": "INT64", "data": [2**50]}
    answer = infer(surface, {"inputs": [x]}, model="zeros")  # more zeros than there is memory
    assert answer.status == 500
    assert answer.error == "an internal error: the log has its cause"


@pytest.mark.parametrize("path", ["/a\nb", "/v2/models/a\nb", "/v2/models/adder/versions/a\nb"])
def test_a_line_break_in_the_path_is_none_in_the_refusal(surface: Application, path: str) -> None:
    answer = send(surface, http_event("GET", path))
    assert answer.status == 404
    assert is_clean(answer)


FAILURES = {
    "decode refuses": ({"decode": "refuse"}, 400, "the input was refused: not a picture"),
    "decode fails": ({"decode": "raise"}, 500, "pipeline.py failed in decode()"),
    "decode gives nothing": ({"decode": "nothing"}, 500, "did not return a dict of arrays"),
    "decode does not fit": ({"decode": "misfit"}, 500, "decode() does not fit the model"),
    "decode ends the process": ({"decode": "exit"}, 500, "pipeline.py failed in decode()"),
    "encode fails": ({"encode": "raise"}, 500, "pipeline.py failed in encode()"),
    "encode gives no JSON": ({"encode": "no json"}, 500, "pipeline.py failed in encode()"),
    "encode gives no body": ({"encode": "no body"}, 500, "pipeline.py failed in encode()"),
    "encode gives no type": ({"encode": "no type"}, 500, "pipeline.py failed in encode()"),
    "encode gives no UTF-8": ({"encode": "no utf-8"}, 500, "pipeline.py failed in encode()"),
    "encode ends the process": ({"encode": "exit"}, 500, "pipeline.py failed in encode()"),
}


@pytest.mark.parametrize(("query", "status", "said"), FAILURES.values(), ids=FAILURES)
def test_a_pipeline_that_fails_is_an_answer_too(
    surface: Application, query: dict[str, str], status: int, said: str
) -> None:
    answer = predict(surface, "echo", b"x", query=query)
    assert answer.status == status
    assert said in answer.error
    assert "secret" not in answer.error
    assert is_clean(answer)


def test_another_method_is_told_which_are_allowed(surface: Application) -> None:
    answer = send(surface, http_event("GET", "/v2/models/adder/infer"))
    assert answer.status == 405
    assert answer.headers["Allow"] == "POST"
    assert answer.error == "there is no GET /v2/models/adder/infer: expected POST"
