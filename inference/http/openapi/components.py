"""What operations of the OpenAPI document (document.py) share: parameters, headers, errors. Pure."""

from __future__ import annotations

from typing import Any, Final

from inference.http.openapi.schemas import COUNT, NAME, NUMBER, TEXT, reference, schemas
from inference.http.responses import JSON

Json = dict[str, Any]

FAULTS: Final = {
    400: "BadRequest",
    404: "Unknown",
    410: "Retired",
    413: "TooLarge",
    500: "Failed",
    503: "NotReady",
    507: "NoMemory",
}
"""The response of each status that is an error."""

OF_ANY: Final = ("RequestId",)
OF_A_MODEL: Final = ("RequestId", "Model", "Version", "Label")
"""The headers of answers, and of those that tell which version gave them."""


def named_headers(names: tuple[str, ...]) -> Json:
    """A response's headers, each by the name that it is sent with."""
    return {_HEADERS[name][0]: reference("headers", name) for name in names}


def components() -> Json:
    """All of them, by kind and name."""
    return {
        "schemas": schemas(),
        "parameters": _parameters(),
        "headers": {
            name: {"description": text, "required": required, "schema": schema}
            for name, (_, text, required, schema) in _HEADERS.items()
        },
        "responses": {
            FAULTS[status]: {
                "description": text,
                "headers": named_headers(OF_ANY) | _where_known(),
                "content": {JSON: {"schema": reference("schemas", "Error")}},
            }
            for status, text in _ERRORS.items()
        },
    }


_ERRORS: Final = {
    400: "The input does not fit: the error names what was expected and what came.",
    404: "There is no such model, version or label, or the model has no pipeline.",
    410: "The version was taken from service.",
    413: "The request, or the answer, is larger than Lambda takes.",
    500: "The server, or the model's own code, failed.",
    503: "The store is out of reach, nothing is published, or the version does not load.",
    507: "The version needs more memory than this environment has.",
}

_HEADERS: Final[dict[str, tuple[str, str, bool, Json]]] = {
    "RequestId": ("Coldpress-Request-Id", "As the log has it.", True, TEXT),
    "Model": ("Coldpress-Model", "The model that answered.", True, NAME),
    "Version": ("Coldpress-Version", "The version that answered.", True, NUMBER),
    "Label": (
        "Coldpress-Label", "The label that found it; not where the call named a number.", False,
        NAME,
    ),
    "JsonLength": (
        "Inference-Header-Content-Length", "How many bytes are JSON; not where all are.", False,
        COUNT,
    ),
    "Encoding": (
        "Content-Encoding", "How the answer is compressed; not where it is not.", False,
        {"enum": ["gzip", "deflate"]},
    ),
    "ETag": ("ETag", "Which page it is.", True, TEXT),
    "Vary": (
        "Vary", "Where the answer is compressed, or is the page.", False,
        {"const": "Accept-Encoding"},
    ),
}  # fmt: skip


def _where_known() -> Json:
    """The headers of an error that say what it is about: where that was known before it failed."""
    return {
        _HEADERS[name][0]: {"schema": _HEADERS[name][3]} for name in ("Model", "Version", "Label")
    }


def _parameters() -> Json:
    in_path = {"in": "path", "required": True}
    coding = {"type": "string", "enum": ["identity", "gzip", "deflate"]}
    return {
        "Model": in_path | {"name": "model", "schema": NAME},
        "Version": in_path | {"name": "version", "schema": NUMBER},
        "Label": in_path | {"name": "label", "schema": NAME},
        "RoutingKey": _in_header(
            "Coldpress-Routing-Key", "Calls of one key go to one side of a split.", TEXT
        ),
        "JsonLength": _in_header(
            "Inference-Header-Content-Length", "How many bytes of the body are JSON.", COUNT
        ),
        "ContentEncoding": _in_header(
            "Content-Encoding", "How the body is compressed; lengths are of what it was.", coding
        ),
        "AcceptEncoding": _in_header(
            "Accept-Encoding", "How the answer may be compressed: gzip, deflate.", TEXT
        ),
        "IfNoneMatch": _in_header("If-None-Match", "The ETag of the page that is there.", TEXT),
        "Query": {
            "name": "parameters",
            "in": "query",
            "description": "Any: the pipeline gets them. Of a repeated one, the last.",
            "schema": {"type": "object", "additionalProperties": TEXT},
        },
    }


def _in_header(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema}
