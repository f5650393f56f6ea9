"""Events that benchmarks and tests send: those of an HTTP API, payload format 2.0."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any, Final

_EVENT: Final = Path(__file__).resolve().parent / "event.json"


def http_event(
    path: str, body: bytes = b"", content_type: str = "application/json", method: str = "POST"
) -> dict[str, Any]:
    """Return an event with this body: as text if it is JSON, else as base64."""
    event: dict[str, Any] = json.loads(_EVENT.read_text("utf-8"))
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = method
    event["headers"].update({"content-type": content_type, "content-length": str(len(body))})
    event["isBase64Encoded"] = content_type != "application/json"
    event["body"] = (base64.b64encode(body) if event["isBase64Encoded"] else body).decode()
    return event
