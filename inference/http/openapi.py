"""The OpenAPI 3.1 document of the HTTP API: openapi.json, with this release's version filled in.

The document is written by hand, because Powertools generates one with pydantic only. Tests compare
it with the registered routes, with OpenAPI's own schema, and with the answers of a server. The
server's address is relative to the document's, so it is right under the prefix of a stage, too.

In the document, objects that the server sends allow no properties beyond those listed; objects
that callers send may hold more. Imported by the first call that needs it, never by a cold start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from inference.protocol.json_codec import read
from model_store.release import VERSION

_FILE: Final = Path(__file__).with_name("openapi.json")


def load_document() -> dict[str, Any]:
    """Read the document, a JSON value, at each call."""
    document: dict[str, Any] = read(_FILE.read_bytes())
    document["info"]["version"] = VERSION
    return document
