"""HTTP to API Gateway's events and back, held against event files of the real shape."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import BadRequestError
from inference.http.events import answer_body, body_bytes, build_event
from tests.support.events import event_file


def built(**how: Any) -> dict[str, Any]:
    defaults: dict[str, Any] = {
        "method": "POST",
        "path": "/predict",
        "query": "",
        "headers": [],
        "body": b"",
    }
    return build_event(**defaults | how)


def sent_again(event: dict[str, Any]) -> dict[str, Any]:
    """Build the event again from the request that it describes."""
    headers = list(event["headers"].items())
    headers += [("Cookie", cookie) for cookie in event.get("cookies", [])]
    http = event["requestContext"]["http"]
    return build_event(
        method=http["method"],
        path=http["path"],
        query=event["rawQueryString"],
        headers=headers,
        body=body_bytes(event),
        source_ip=http["sourceIp"],
    )


FILES = ["http_api_get", "http_api_infer", "http_api_predict_binary"]
OF_EACH_CALL = {"accountId", "apiId", "domainPrefix", "requestId", "time", "timeEpoch"}


@pytest.mark.parametrize("name", FILES)
def test_a_built_event_is_as_api_gateway_makes_it(name: str) -> None:
    theirs = event_file(name)
    ours = sent_again(theirs)
    their_context, our_context = theirs.pop("requestContext"), ours.pop("requestContext")
    assert ours == theirs
    for key in OF_EACH_CALL:
        their_context.pop(key, None)
        our_context.pop(key, None)
    assert our_context == their_context


@pytest.mark.parametrize("name", [*FILES, "http_api_documented"])
def test_a_built_event_has_no_field_that_api_gateways_has_not(name: str) -> None:
    theirs, ours = event_file("http_api_documented"), sent_again(event_file(name))
    assert set(ours) <= set(theirs)
    assert set(ours["requestContext"]) <= set(theirs["requestContext"])
    assert set(ours["requestContext"]["http"]) == set(theirs["requestContext"]["http"])
    for key in ("accountId", "apiId", "requestId", "time", "timeEpoch"):
        assert type(ours["requestContext"][key]) is type(theirs["requestContext"][key])
    time = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000"
    assert re.fullmatch(time, ours["requestContext"]["time"])


def test_each_request_has_its_own_id() -> None:
    ids = {built()["requestContext"]["requestId"] for _ in range(100)}
    assert len(ids) == 100


def test_header_names_are_in_lower_case_and_repeated_ones_joined() -> None:
    headers = [("Accept", "a"), ("X-One", "1"), ("ACCEPT", "b"), ("accept", "c, d")]
    assert built(headers=headers)["headers"] == {"accept": "a,b,c, d", "x-one": "1"}


def test_cookies_stand_apart() -> None:
    event = built(headers=[("Cookie", "a=1; b=2"), ("cookie", "c=3"), ("host", "h")])
    assert event["cookies"] == ["a=1", "b=2", "c=3"]
    assert event["headers"] == {"host": "h"}
    assert "cookies" not in built()


@pytest.mark.parametrize(
    ("query", "parameters"),
    [
        ("a=1", {"a": "1"}),
        ("a=1&a=2&b=3", {"a": "1,2", "b": "3"}),
        ("a=&b", {"a": "", "b": ""}),
        ("a=b+c&d=%26%3D", {"a": "b c", "d": "&="}),
        ("a=%C3%A9", {"a": "é"}),
        ("a=%FF", {"a": "�"}),
        ("a=1=2", {"a": "1=2"}),
    ],
)
def test_a_query_comes_raw_and_decoded(query: str, parameters: dict[str, str]) -> None:
    event = built(query=query)
    assert event["rawQueryString"] == query
    assert event["queryStringParameters"] == parameters


@pytest.mark.parametrize("query", ["", "&", "&&"])
def test_without_parameters_there_is_no_field_for_them(query: str) -> None:
    assert "queryStringParameters" not in built(query=query)


TEXT_OR_NOT: list[tuple[str | None, bytes, bool]] = [
    ("application/json", b"{}", False),
    ("application/json; charset=utf-8", "é".encode(), False),
    ("Application/JSON", b"{}", False),
    ("text/plain", b"abc", False),
    ("text/csv", b"a,b", False),
    ("application/xml", b"<a/>", False),
    ("application/javascript", b"1", False),
    ("text/plain", b"\xff", True),
    ("application/json", b"\x80", True),
    ("image/png", b"abc", True),
    ("application/octet-stream", b"abc", True),
    ("application/x-www-form-urlencoded", b"a=1", True),
    (None, b"abc", True),
    ("", b"abc", True),
]


@pytest.mark.parametrize(("content_type", "body", "is_base64"), TEXT_OR_NOT)
def test_a_body_is_text_where_its_type_is_and_base64_else(
    content_type: str | None, body: bytes, is_base64: bool
) -> None:
    headers = [] if content_type is None else [("Content-Type", content_type)]
    event = built(headers=headers, body=body)
    assert event["isBase64Encoded"] is is_base64
    assert event["body"] == (base64.b64encode(body).decode() if is_base64 else body.decode())


def test_without_a_body_there_is_no_field_for_it() -> None:
    event = built(method="GET")
    assert "body" not in event
    assert event["isBase64Encoded"] is False
    assert body_bytes(event) == b""


@given(st.binary(), st.sampled_from(["text/plain", "application/json", "image/png", ""]))
@settings(deadline=None)
def test_a_body_comes_out_of_its_event_as_it_went_in(body: bytes, content_type: str) -> None:
    event = built(headers=[("content-type", content_type)], body=body)
    through_json = json.loads(json.dumps(event))
    assert through_json == event
    assert body_bytes(through_json) == body


@pytest.mark.parametrize("body", ["a", "ab=c", "ab\n==", "é", "="])
def test_what_is_marked_as_base64_and_is_not_is_refused(body: str) -> None:
    with pytest.raises(BadRequestError, match="marked as base64"):
        body_bytes({"body": body, "isBase64Encoded": True})


@pytest.mark.parametrize("event", [{}, {"body": None}, {"body": ""}, {"isBase64Encoded": True}])
def test_an_event_without_a_body_has_an_empty_one(event: dict[str, Any]) -> None:
    assert body_bytes(event) == b""


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ({"body": "é"}, "é".encode()),
        ({"body": "AP8=", "isBase64Encoded": True}, b"\x00\xff"),
        ({"body": ""}, b""),
        ({"body": None}, b""),
        ({}, b""),
    ],
)
def test_an_answer_has_the_bytes_that_its_caller_gets(answer: dict[str, Any], body: bytes) -> None:
    assert answer_body(answer) == body
