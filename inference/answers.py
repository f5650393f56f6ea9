"""Answers as routes make them, and errors: statuses and bodies in one place.

Every error is `{"error": "<text>"}`, its text one line.
"""

from __future__ import annotations

import base64
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response

from inference import errors
from inference.compression import compress
from inference.events import answer_body
from inference.json_text import write
from model_store.lines import on_one_line

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


def error_response(status: int, text: str) -> Response[str]:
    """An error, from a route."""
    return json_answer({"error": on_one_line(text)}, status)


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


def compressed(answer: dict[str, Any], encoding: str | None) -> dict[str, Any]:
    """An answer, compressed. Powertools can do it, too: by gzip alone, and at its slowest."""
    if encoding is None or answer["statusCode"] != _DONE:
        return answer
    body = base64.b64encode(compress(answer_body(answer), encoding)).decode()
    headers = answer["headers"] | {"Content-Encoding": encoding, "Vary": "Accept-Encoding"}
    return answer | {"body": body, "isBase64Encoded": True, "headers": headers}
