"""Calls as API Gateway makes them, built from the event files, and their answers."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from tests.support.events import event_file
from tests.support.models import adder_request
from tests.support.stores import ADDER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Handler = Callable[[Mapping[str, Any], Any], dict[str, Any]]


class Answer(NamedTuple):
    """Response of API Gateway to the caller."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        document = self.json
        assert list(document) == ["error"]
        text = document["error"]
        assert isinstance(text, str)
        return text

    @property
    def version(self) -> int:
        return int(self.headers["Coldpress-Version"])

    @property
    def values(self) -> Any:
        return self.json["outputs"][0]["data"]


def http_event(
    method: str,
    path: str,
    *,
    body: bytes | str | None = None,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """An HTTP API event: a body of bytes goes as base64, one of text as it is."""
    event = event_file("http_api_get")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    event["headers"] |= headers or {}
    if query:
        event["queryStringParameters"] = dict(query)
        event["rawQueryString"] = urlencode(query)
    if body is not None:
        event["isBase64Encoded"] = isinstance(body, bytes)
        event["body"] = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return event


def send(handler: Handler, event: Mapping[str, Any], context: Any = None) -> Answer:
    """Hand an event to a handler and read its answer as API Gateway does."""
    answer = handler(event, context)
    # Lambda writes the answer as JSON: a value that JSON cannot express would fail there.
    answer = json.loads(json.dumps(answer, allow_nan=False))
    assert all(isinstance(value, str) for value in answer["headers"].values())
    assert set(answer) <= {"statusCode", "headers", "cookies", "body", "isBase64Encoded"}
    body = answer["body"]
    raw = base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()
    return Answer(answer["statusCode"], answer["headers"], raw)


def get(handler: Handler, path: str) -> Answer:
    """Send a GET."""
    return send(handler, http_event("GET", path))


def infer(
    handler: Handler,
    document: object,
    *,
    model: str = ADDER,
    version: int | str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send an inference request, to a version's own address where one is named."""
    place = f"/v2/models/{model}" if version is None else f"/v2/models/{model}/versions/{version}"
    headers = {"content-type": "application/json", **(headers or {})}
    body = json.dumps(document)
    return send(handler, http_event("POST", f"{place}/infer", body=body, headers=headers))


def add(handler: Handler, x: list[float], *, version: int | None = None) -> Answer:
    """Call the adder."""
    return infer(handler, adder_request(x), version=version)


def predict(handler: Handler, model: str, body: bytes | str = b"", **how: Any) -> Answer:
    """Call a model's pipeline."""
    return send(handler, http_event("POST", f"/models/{model}/predict", body=body, **how))
