"""The limit on an event is Lambda's: the whole JSON of it, base64 and escapes included."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inference.errors import TooLargeError
from inference.http.events import build_event
from inference.http.limits import PAYLOAD_LIMIT_BYTES


def built(*, headers: list[tuple[str, str]], body: bytes, query: str = "") -> dict[str, Any]:
    return build_event(method="POST", path="/predict", query=query, headers=headers, body=body)


def size_of(event: dict[str, Any]) -> int:
    return len(json.dumps(event, separators=(",", ":")).encode())


@pytest.mark.parametrize("content_type", ["text/plain", "image/png"])
def test_the_limit_is_the_whole_events_and_exact(content_type: str) -> None:
    headers = [("content-type", content_type)]
    overhead = size_of(built(headers=headers, body=b"xyz")) - (3 if "text" in content_type else 4)
    room = PAYLOAD_LIMIT_BYTES - overhead
    fits = room if "text" in content_type else room // 4 * 3
    assert size_of(built(headers=headers, body=b"x" * fits)) <= PAYLOAD_LIMIT_BYTES
    with pytest.raises(TooLargeError) as caught:
        built(headers=headers, body=b"x" * (fits + 1))
    assert f"Lambda takes at most {PAYLOAD_LIMIT_BYTES}" in str(caught.value)


def test_at_the_limit_to_the_byte_an_event_is_let_through() -> None:
    headers = [("content-type", "text/plain")]
    room = PAYLOAD_LIMIT_BYTES - size_of(built(headers=headers, body=b"x")) + 1
    assert size_of(built(headers=headers, body=b"x" * room)) == PAYLOAD_LIMIT_BYTES
    message = f"an event of {PAYLOAD_LIMIT_BYTES + 1} bytes"
    with pytest.raises(TooLargeError, match=message):
        built(headers=headers, body=b"x" * (room + 1))


@pytest.mark.parametrize(("unit", "times"), [("\x00", 1_048_570), ("\n", 3_150_000)])
def test_what_json_escapes_counts_as_it_is_written(unit: str, times: int) -> None:
    with pytest.raises(TooLargeError):
        built(headers=[("content-type", "text/plain")], body=unit.encode() * times)


def test_headers_and_query_count_too() -> None:
    body = b"x" * (PAYLOAD_LIMIT_BYTES - 2000)
    headers = [("content-type", "text/plain")]
    built(headers=headers, body=body)
    with pytest.raises(TooLargeError):
        built(headers=[*headers, ("x", "y" * 2000)], body=body)
    with pytest.raises(TooLargeError):
        built(headers=headers, query="a=" + "y" * 2000, body=body)
