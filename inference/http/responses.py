"""Answers as routes make them, and errors: statuses and bodies in one place.

Every error is `{"error": "<text>"}`, its text one line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pybase64
from aws_lambda_powertools.event_handler import Response

from inference import errors
from inference.http.compression import LEAST_BYTES, compress
from inference.http.limits import check_body
from inference.protocol.json_codec import write
from model_store.lines import on_one_line

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: Final = "application/json"
BINARY: Final = "application/octet-stream"

_DONE: Final = 200

_STATUSES: Final[dict[type[errors.ServingError], int]] = {
    errors.BadRequestError: 400,
    errors.UnknownError: 404,
    errors.RetiredError: 410,
    errors.TooLargeError: 413,
    errors.NotReadyError: 503,
    errors.NoMemoryError: 507,
}
"""The others are 500."""


def json_answer(value: object, status: int = _DONE) -> Response[str]:
    """An answer that is a JSON value."""
    return Response(status, JSON, write(value).decode())


def body_answer(
    content_type: str, body: bytes | str, headers: Mapping[str, str], coding: str | None
) -> Response[str]:
    """An answer that is a body: text as it is, bytes as base64, either compressed by `coding`.

    Raises TooLargeError where it cannot fit. Powertools does both, too: by gzip alone and at its
    slowest, and by a base64 fifty times as slow.
    """
    headers = dict(headers)
    data: bytes | str = body
    if coding is not None and len(body) >= LEAST_BYTES:
        data = compress(body.encode() if isinstance(body, str) else body, coding)
        headers |= {"Content-Encoding": coding, "Vary": "Accept-Encoding"}
    elif isinstance(body, bytes) and content_type == JSON:
        data = body.decode()
    check_body(len(data), as_base64=isinstance(data, bytes))
    text = data if isinstance(data, str) else pybase64.b64encode_as_string(data)
    response = Response(_DONE, content_type, text, headers=headers)
    response.base64_encoded = isinstance(data, bytes)
    return response


def error_response(status: int, text: str) -> Response[str]:
    """An error, from a route: one line, as every ServingError's message is."""
    return json_answer({"error": text}, status)


def status_of(error: Exception) -> int:
    """The status that says whose fault an error is."""
    return _STATUSES.get(type(error), 500)  # type: ignore[arg-type]


def error_answer(status: int, text: str) -> dict[str, Any]:
    """An error as API Gateway takes it, for what fails outside the routes."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": JSON},
        "body": write({"error": on_one_line(text)}).decode(),
        "isBase64Encoded": False,
    }
