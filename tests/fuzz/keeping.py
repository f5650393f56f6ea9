"""Properties of every answer to any call."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.calls import Handler

STATUSES: Final = {200, 400, 404, 405, 410, 413, 500, 503}
LONGEST_ERROR: Final = 1000
_FAIL: Final = {
    "decode": {"raise", "nothing", "misfit", "exit"},
    "encode": {"nan", "no json", "no body", "no type", "no utf-8", "raise", "exit"},
}
"""What the pipeline of `echo` is told to fail by."""
_HEADER: Final = re.compile(r"[\x20-\x7e]*")


def fault(handler: Handler, event: dict[str, Any]) -> str | None:
    """Return the violated property of an answer to an event; None if all hold."""
    try:
        answer = handler(event, None)
        # As Lambda's runtime writes it, from Python 3.12 on, and before.
        json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
        json.dumps(answer).encode()
    except BaseException as error:
        return f"the handler raised {ascii(error)[:500]}"
    try:
        _check(event, answer)
    except Exception as error:
        shown = ascii(str(answer))[:500]
        return (
            f"{str(error) or ascii(error)}\n  answer: {shown}\n  event: {ascii(str(event))[:1500]}"
        )
    return None


def _check(event: Mapping[str, Any], answer: dict[str, Any]) -> None:
    _expect(set(answer) <= {"statusCode", "headers", "cookies", "body", "isBase64Encoded"}, "form")
    status, headers = answer["statusCode"], answer["headers"]
    _expect(type(status) is int and status in STATUSES, f"status {status}")
    for name, value in headers.items():
        _expect(isinstance(value, str) and _HEADER.fullmatch(value), f"header {name} {value!r}")
    _expect(headers.get("Content-Type"), "no Content-Type")
    _expect("Coldpress-Request-Id" in headers, "no request id")
    body = answer["body"]
    _expect(isinstance(body, str), "no body")
    if answer["isBase64Encoded"]:
        base64.b64decode(body, validate=True)
    if status >= 500:
        _expect(_may_fail(event, status), "a 5xx that is the caller's fault, or nobody's")
    if status != 200:
        _check_error(headers["Content-Type"], json.loads(body))


def _check_error(content_type: str, document: dict[str, Any]) -> None:
    text = document.get("error")
    _expect(content_type == "application/json", f"an error of {content_type}")
    _expect(list(document) == ["error"] and isinstance(text, str), "no error")
    _expect(text and str(text).isprintable(), "an error of no line, or of several")
    _expect(len(str(text)) <= LONGEST_ERROR, "an error of more than a line")
    for part in ("Traceback", 'File "', "site-packages", "onnxruntime_src", "coldpress_pipeline"):
        _expect(part not in str(text), f"an error that tells of {part}")


def _expect(condition: object, what: str) -> None:
    if not condition:
        raise AssertionError(what)


def _may_fail(event: Mapping[str, Any], status: int) -> bool:
    """Return True if a call may fail by design: a damaged version, a pipeline that raises."""
    if status == 503:
        return "broken" in event["rawPath"]
    told = dict(parse_qsl(event.get("rawQueryString") or "", keep_blank_values=True))
    return any(told.get(name) in values for name, values in _FAIL.items())
