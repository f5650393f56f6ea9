"""`GET /openapi.json`: the whole HTTP surface as an OpenAPI 3.1 document. Pure.

It is written by hand, for Powertools' own generation needs pydantic. Tests hold it against the
routes that are registered, against OpenAPI's own schema, and against what a server answers. What
bodies look like is in schemas.py, headers and errors are in components.py. It
changes with the release alone.

The server's address is relative to the document's: it is right under a stage's prefix, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from inference.http.model_routes import PLACES
from inference.http.openapi.components import (
    FAULTS,
    OF_A_MODEL,
    OF_ANY,
    components,
    named_headers,
)
from inference.http.openapi.schemas import TEXT, reference
from inference.http.responses import BINARY, JSON
from model_store.release import VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

_ABOUT: Final = (
    "ONNX models from a shared file system, by the Open Inference Protocol (V2) and by models' "
    'own pipelines. Every error of this server is `{"error": "<one line>"}`, also that of a path '
    "which is not here (404) or takes another method (405). What stands before it, API Gateway "
    'and its authorizer, answers `{"message": ...}`. A request, and an answer, is at most '
    "6,291,456 bytes as the JSON event that Lambda takes, in which bytes that are not text are "
    "base64."
)
_BODY: Final = (
    "With `Inference-Header-Content-Length` the body is JSON of that length, and then the bytes of "
    "the inputs that have a `binary_data_size`; with 0, it is the bytes of a model's one input. "
    "Its Content-Type does not matter."
)
_FINDS: Final = (404, 410, 500, 503)
"""What a call may come to before it is known which version it is about."""
_LOADS: Final = (*_FINDS, 507)
_RUNS: Final = (400, 413, *_LOADS)
_ANYTHING: Final[dict[str, Any]] = {"*/*": {"schema": {}}}


class Operation(NamedTuple):
    """One method of one address. `answer` names the schema of its 200; None: it has its own."""

    path: str
    method: str
    summary: str
    tag: str
    answer: str | None
    faults: tuple[int, ...] = ()
    parameters: tuple[str, ...] = ()
    of_a_model: bool = False
    more: dict[str, Any] = {}  # noqa: RUF012 - never changed

    def to_json(self) -> dict[str, Any]:
        """As OpenAPI has it ("Operation Object"), without the parameters of its path."""
        responses = {str(status): reference("responses", FAULTS[status]) for status in self.faults}
        if self.answer:
            responses["200"] = _json_answer(self.answer, OF_A_MODEL if self.of_a_model else OF_ANY)
        described = {"summary": self.summary, "tags": [self.tag], **self.more}
        described["responses"] = dict(sorted((responses | self.more.get("responses", {})).items()))
        if self.parameters:
            described["parameters"] = [reference("parameters", name) for name in self.parameters]
        return described


def document() -> dict[str, Any]:
    """The document, as a JSON value."""
    paths: dict[str, Any] = {}
    operations = (
        *_server(), *_inference(), *_predict(), *_models(), *_repository(), *_people()
    )  # fmt: skip
    for each in operations:
        path = each.path.replace("<", "{").replace(">", "}")
        names = [part[1:-1].title() for part in path.split("/") if part.startswith("{")]
        if names:
            of_path = [reference("parameters", name) for name in names]
            paths.setdefault(path, {"parameters": of_path})
        paths.setdefault(path, {})[each.method] = each.to_json()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Coldpress",
            "version": VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": ".", "description": "where this document is"}],
        "tags": [
            {"name": "inference", "description": "tensors in, tensors out"},
            {"name": "predict", "description": "what a model's own pipeline takes and gives"},
            {"name": "models", "description": "what is published"},
            {"name": "repository", "description": "what this environment has in memory"},
            {"name": "server", "description": "the server itself"},
        ],
        "paths": paths,
        "components": components(),
    }


def _server() -> Iterator[Operation]:
    yield Operation("/v2", "get", "What this server is", "server", "Server")
    yield Operation("/v2/health/live", "get", "Whether the server lives", "server", "Live")
    unready = {"503": _json_answer("Unready", OF_ANY, "Nothing can be answered now.")}
    for path in ("/v2/health/ready", "/ping"):
        yield Operation(
            path, "get", "Whether the server can answer", "server", "Ready", (500,),
            more={"responses": unready},
        )  # fmt: skip
    yield Operation("/openapi.json", "get", "This document", "server", "Document")


def _inference() -> Iterator[Operation]:
    body = {
        JSON: {"schema": reference("schemas", "InferRequest")},
        BINARY: {"schema": {}},
    }
    answer = {
        "description": "The outputs: as JSON, or, where some are asked for as bytes, as binary.",
        "headers": named_headers((*OF_A_MODEL, "JsonLength", "Encoding", "Vary")),
        "content": {JSON: {"schema": reference("schemas", "InferResponse")}, BINARY: {}},
    }
    for place in PLACES:
        yield Operation(
            f"{place}/infer", "post", f"Run {_what(place)}", "inference", None, _RUNS,
            (*_routed(place), "JsonLength", "ContentEncoding", "AcceptEncoding"),
            more={
                "description": _BODY,
                "requestBody": {"required": True, "content": body},
                "responses": {"200": answer},
            },
        )  # fmt: skip


def _predict() -> Iterator[Operation]:
    answer = {
        "description": "What the model's pipeline answers, in a content type of its own.",
        "headers": named_headers((*OF_A_MODEL, "Encoding", "Vary")),
        "content": _ANYTHING,
    }
    for path, summary in {
        "/models/<model>/predict": "Predict by a model",
        "/models/<model>/versions/<version>/predict": "Predict by a version",
        "/models/<model>/labels/<label>/predict": "Predict by what a label names",
        "/predict": "Predict by the default model",
        "/invocations": "Predict by the default model, for SageMaker",
    }.items():
        yield Operation(
            path, "post", summary, "predict", None, _RUNS,
            (*_routed(path), "ContentEncoding", "AcceptEncoding", "Query"),
            more={"requestBody": {"content": _ANYTHING}, "responses": {"200": answer}},
        )  # fmt: skip


def _models() -> Iterator[Operation]:
    yield Operation("/v2/models", "get", "What is published", "models", "Models", (413, 500, 503))
    yield Operation(
        "/v2/models/stats", "get", "What was done here with all versions", "models", "Statistics",
        (413, 500),
    )  # fmt: skip
    for place in PLACES:
        what = _what(place)
        for end, summary, answer, faults, parameters in (
            ("", f"The signature of {what}", "Metadata", _FINDS, ()),
            ("/ready", f"Load {what}, and say so", "ModelReady", _LOADS, _routed(place)),
            ("/config", f"The configuration of {what}, Triton's", "Config", _FINDS, ()),
            ("/stats", f"What was done here with {what}", "Statistics", (*_FINDS, 413), ()),
        ):
            yield Operation(
                place + end, "get", summary, "models", answer, faults, parameters, of_a_model=True
            )


def _repository() -> Iterator[Operation]:
    content = {JSON: {"schema": reference("schemas", "IndexRequest")}}
    yield Operation(
        "/v2/repository/index", "post", "All versions, and what is loaded here", "repository",
        "Index", (400, 413, 500, 503), ("ContentEncoding",),
        more={"requestBody": {"content": content}},
    )  # fmt: skip
    of_one = "/v2/repository/models/<model>"
    yield Operation(
        f"{of_one}/load", "post", "Load what `latest` names, into this environment",
        "repository", "Nothing", _LOADS, of_a_model=True,
    )  # fmt: skip
    yield Operation(
        f"{of_one}/unload", "post", "Let a model go from this environment's memory",
        "repository", "Nothing", (404, 500, 503),
    )  # fmt: skip


def _people() -> Iterator[Operation]:
    headers = named_headers((*OF_ANY, "ETag", "Vary"))
    page = {
        "description": "The page.",
        "headers": headers | named_headers(("Encoding",)),
        "content": {"text/html": {"schema": TEXT}},
    }
    same = {"description": "It is the page that the caller has.", "headers": headers}
    yield Operation(
        "/", "get", "A page that shows the models, and tries them", "server", None, (),
        ("IfNoneMatch", "AcceptEncoding"), more={"responses": {"200": page, "304": same}},
    )  # fmt: skip
    yield Operation(
        "/models/<model>", "get", "The labels, split and versions of a model, and what is loaded",
        "models", "Publication", (404, 500, 503),
    )  # fmt: skip
    for place in PLACES[1:]:
        path = place.removeprefix("/v2")
        summary = f"What {_what(place)} takes and gives, and whether it has a pipeline"
        yield Operation(path, "get", summary, "models", "Described", _FINDS, of_a_model=True)


def _what(place: str) -> str:
    if place.endswith("<version>"):
        return "a version"
    return "what a label names" if place.endswith("<label>") else "a model"


def _routed(path: str) -> tuple[str, ...]:
    """A key routes only what names neither a version nor a label."""
    return () if "<version>" in path or "<label>" in path else ("RoutingKey",)


def _json_answer(
    name: str, headers: tuple[str, ...], description: str = "The answer."
) -> dict[str, Any]:
    return {
        "description": description,
        "headers": named_headers(headers),
        "content": {JSON: {"schema": reference("schemas", name)}},
    }
