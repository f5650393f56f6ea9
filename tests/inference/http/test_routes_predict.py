from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from inference.http.application import Application
from inference.settings import Settings
from tests.support.calls import http_event, predict, send
from tests.support.events import event_file

if TYPE_CHECKING:
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def with_default(surface_store: Path) -> Application:
    return Application(Settings(surface_store, "echo", ref_ttl_s=3600.0))


def echoed(answer: Any) -> tuple[bytes, str, dict[str, str]]:
    assert answer.status == 200, answer.body
    document = answer.json
    assert document["y"] == [[2.0, 2.0]]
    return base64.b64decode(document["body"]), document["content_type"], document["parameters"]


def test_a_pipeline_gets_the_bytes_that_were_sent(surface: Application) -> None:
    body, content_type, _ = echoed(send(surface, event_file("http_api_predict_binary")))
    assert (body, content_type) == (PNG, "image/png")


@pytest.mark.parametrize("body", [b"", b"\x00", bytes(range(256)), b"text", "text", "é\n", ""])
def test_a_body_comes_through_as_text_or_base64(surface: Application, body: bytes | str) -> None:
    came, _, _ = echoed(predict(surface, "echo", body))
    assert came == (body if isinstance(body, bytes) else body.encode())


def test_no_body_at_all_is_an_empty_one(surface: Application) -> None:
    assert echoed(send(surface, http_event("POST", "/models/echo/predict")))[0] == b""


def test_without_a_content_type_a_body_is_bytes(surface: Application) -> None:
    assert echoed(predict(surface, "echo", b"x"))[1] == "application/octet-stream"


def test_a_content_type_comes_as_it_was_sent(surface: Application) -> None:
    headers = {"content-type": "Text/Plain; charset=latin-1"}
    assert echoed(predict(surface, "echo", b"x", headers=headers))[1] == headers["content-type"]


@pytest.mark.parametrize("missing", ["headers", "body", "isBase64Encoded"])
def test_an_event_may_lack_what_is_empty(surface: Application, missing: str) -> None:
    event = http_event("POST", "/models/echo/predict")
    event.pop(missing, None)
    assert echoed(send(surface, event))[0] == b""


@pytest.mark.parametrize("field", ["headers", "queryStringParameters", "body"])
def test_an_event_may_hold_null_for_what_is_empty(surface: Application, field: str) -> None:
    event = http_event("POST", "/models/echo/predict") | {field: None}
    assert echoed(send(surface, event))[0] == b""


def test_parameters_come_decoded(surface: Application) -> None:
    parameters = echoed(predict(surface, "echo", b"", query={"top": "3", "flag": ""}))[2]
    assert parameters == {"top": "3", "flag": ""}


def test_of_a_repeated_parameter_the_last_counts(surface: Application) -> None:
    # API Gateway joins them by commas in queryStringParameters; rawQueryString has them apart.
    parameters = echoed(send(surface, event_file("http_api_predict_binary")))[2]
    assert parameters == {"name": "c d", "flag": ""}


def test_a_comma_in_a_parameter_is_part_of_it(surface: Application) -> None:
    event = http_event("POST", "/models/echo/predict", query={"classes": "a,b"})
    assert echoed(send(surface, event))[2] == {"classes": "a,b"}


ANSWERS = {
    "text": ("text/plain; charset=utf-8", "héllo".encode()),
    "bytes": ("application/octet-stream", b"\x00\xff"),
    "html": ("text/html", b"<b>"),
    "png": ("image/png", b"\x89PNG"),
    "json bytes": ("application/json", b'{"a": 1}'),
    "json text": ("application/json", b'{"a": 1}'),
    "nan": ("application/json", b'{"score":null}'),
    "numpy": ("application/json", b'{"n":7,"y":[1.0,1.0]}'),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_an_answer_of_each_kind_comes_through(surface: Application, kind: str) -> None:
    answer = predict(surface, "echo", b"", query={"encode": kind})
    assert answer.status == 200, answer.body
    assert (answer.headers["Content-Type"], answer.body) == ANSWERS[kind]


def test_a_callers_accept_encoding_changes_nothing(surface: Application) -> None:
    headers = {"accept-encoding": "gzip"}
    answer = predict(surface, "echo", b"", query={"encode": "text"}, headers=headers)
    assert answer.body == "héllo".encode()
    assert "Content-Encoding" not in answer.headers


def test_the_default_model_answers_at_predict(with_default: Application) -> None:
    answer = send(with_default, http_event("POST", "/predict", body=b"abc"))
    assert echoed(answer)[0] == b"abc"
    assert answer.headers["Coldpress-Model"] == "echo"


def test_without_a_default_model_predict_says_what_to_do(surface: Application) -> None:
    answer = send(surface, http_event("POST", "/predict", body=b"abc"))
    assert answer.status == 400
    assert "DEFAULT_MODEL" in answer.error
