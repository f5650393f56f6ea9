"""Answers and errors of the routes: their statuses and bodies.

Every error is `{"error": "<text>"}`, where the text is one line.
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
"""Statuses of errors; every other error is 500."""


def json_answer(value: object, status: int = _DONE) -> Response[str]:
    """Return an answer whose body is a JSON value."""
    return Response(status, JSON, write(value).decode())


def body_answer(
    content_type: str, body: bytes | str, headers: Mapping[str, str], coding: str | None
) -> Response[str]:
    """Return an answer with this body: text, or base64 of bytes; compressed if `coding` is given.

    Raises TooLargeError if the body exceeds Lambda's limit. Powertools' own compression is gzip
    only, at its slowest level, and its base64 takes fifty times as long.
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
    """Return a route's error; `text` must be one line, as messages of ServingError are."""
    return json_answer({"error": text}, status)


def status_of(error: Exception) -> int:
    """Return the status of an error."""
    return _STATUSES.get(type(error), 500)  # type: ignore[arg-type]


def error_answer(status: int, text: str) -> dict[str, Any]:
    """Return an error in API Gateway's format, for failures outside the routes."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": JSON},
        "body": write({"error": on_one_line(text)}).decode(),
        "isBase64Encoded": False,
    }
