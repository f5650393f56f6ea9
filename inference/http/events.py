"""API Gateway HTTP API events, payload format 2.0: requests to events, answers to bytes. Pure.

`build_event` does for the local gateway what API Gateway does for a function: it writes header
names in lower case, joins repeated headers with commas, lists cookies separately, and encodes
bodies that are not text in base64. Source: API Gateway's developer guide, "Create AWS Lambda proxy
integrations for HTTP APIs".
"""

from __future__ import annotations

import binascii
import json
import time
import urllib.parse
import uuid
from typing import TYPE_CHECKING, Any, Final

import pybase64

from inference.errors import BadRequestError, TooLargeError
from inference.http.limits import PAYLOAD_LIMIT_BYTES, request_too_large

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TEXT_TYPES: Final = ("text/", "application/json", "application/xml", "application/javascript")


def build_event(
    *,
    method: str,
    path: str,
    query: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    source_ip: str = "127.0.0.1",
) -> dict[str, Any]:
    """Build the event of one HTTP request; raises TooLargeError if Lambda would refuse the event.

    `path` is percent-decoded; `query` is not, and has no question mark.
    """
    joined: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, value in headers:
        name = raw_name.lower()
        if name == "cookie":
            cookies.extend(part.strip() for part in value.split(";"))
        else:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined,
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": joined.get("host", "localhost"),
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": source_ip,
                "userAgent": joined.get("user-agent", ""),
            },
            "requestId": str(uuid.uuid4()),
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1e3),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    parameters = urllib.parse.parse_qs(query, keep_blank_values=True)
    if parameters:
        event["queryStringParameters"] = {k: ",".join(v) for k, v in parameters.items()}
    if body:
        text = _as_text(body, joined.get("content-type", ""))
        event["isBase64Encoded"] = text is None
        event["body"] = pybase64.b64encode_as_string(body) if text is None else text
    _check_size(event, body)
    return event


def body_bytes(event: Mapping[str, Any]) -> bytes:
    """Return the bytes that the caller sent; raises BadRequestError for malformed base64."""
    body = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode("utf-8", "surrogatepass")
    try:
        return pybase64.b64decode(body, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadRequestError("the event's body is marked as base64 and is not") from None


def answer_body(answer: Mapping[str, Any]) -> bytes:
    """Return the bytes to send to the caller."""
    body = answer.get("body") or ""
    return pybase64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()


def _as_text(body: bytes, content_type: str) -> str | None:
    if not content_type.lower().startswith(_TEXT_TYPES):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _check_size(event: Mapping[str, Any], body: bytes) -> None:
    # To measure an event is to write all of it as JSON, where a byte of the body takes at most 6:
    # an event that fits by this bound is not measured.
    if len(body) * 6 + 65_536 <= PAYLOAD_LIMIT_BYTES:
        return
    size = len(json.dumps(event, separators=(",", ":")).encode())
    if size > PAYLOAD_LIMIT_BYTES:
        raise TooLargeError(request_too_large(f"the request makes an event of {size} bytes"))
