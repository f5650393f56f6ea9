"""The handler answers every call, in API Gateway's format and with a known status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from tests.support.calls import http_event, send
from tests.support.examples import examples
from tests.support.models import adder_request

if TYPE_CHECKING:
    from inference.http.application import Application

EXAMPLES = examples(40, HealthCheck.too_slow)
STATUSES = {200, 400, 404, 405, 410, 413, 500, 503}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
METHODS = st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "PATCH", "get", "", "X Y"])
PARTS = (
    st.sampled_from(
        ["v2", "models", "adder", "echo", "words", "broken", "nosuch", "versions", "1", "3",
         "infer", "predict", "ready", "health", "live", "..", "", "%2e", "<model>"]
    )
    | TEXT
)  # fmt: skip
PATHS = st.lists(PARTS, max_size=7).map(lambda parts: "/" + "/".join(parts)) | TEXT
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "accept-encoding", "origin", "cookie", "x"]) | TEXT, TEXT
)
QUERIES = st.dictionaries(st.sampled_from(["decode", "encode", "times"]) | TEXT, TEXT, max_size=3)
GOOD = json.dumps(adder_request([1.0, 2.0]))


def is_answered(surface: Application, event: dict[str, Any]) -> None:
    answer = send(surface, event)
    assert answer.status in STATUSES
    assert all(isinstance(value, str) for value in answer.headers.values())
    if answer.status != 200 and not (answer.status == 503 and event["rawPath"].endswith("ready")):
        assert answer.error
        assert "Traceback" not in answer.error
        assert "site-packages" not in answer.error


@given(METHODS, PATHS)
@EXAMPLES
def test_any_method_and_path(surface: Application, method: str, path: str) -> None:
    is_answered(surface, http_event(method, path))


@given(st.none() | st.binary() | TEXT, st.booleans(), HEADERS)
@EXAMPLES
def test_any_body_and_headers(
    surface: Application, body: bytes | str | None, is_base64: bool, headers: dict[str, str]
) -> None:
    for path in ("/v2/models/adder/infer", "/models/echo/predict", "/predict"):
        event = http_event("POST", path, body=body, headers=headers)
        event["isBase64Encoded"] = is_base64 or event["isBase64Encoded"]
        is_answered(surface, event)


@given(QUERIES, HEADERS, st.lists(TEXT))
@EXAMPLES
def test_any_query_headers_and_cookies(
    surface: Application, query: dict[str, str], headers: dict[str, str], cookies: list[str]
) -> None:
    event = http_event("POST", "/models/echo/predict", query=query, headers=headers)
    is_answered(surface, event | {"cookies": cookies})


@given(st.data())
@EXAMPLES
def test_a_good_request_with_one_character_changed(
    surface: Application, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(GOOD) - 1))
    body = GOOD[:at] + data.draw(st.characters(exclude_categories=["Cs"])) + GOOD[at + 1 :]
    is_answered(surface, http_event("POST", "/v2/models/adder/infer", body=body))
