"""The OpenAPI document: it is one, it has every route and no other, and its address is relative."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from inference.http.openapi import load_document
from inference.http.responses import _STATUSES
from inference.serving.stats import BOUNDS_MS
from model_store.release import VERSION
from model_store.signature import DATATYPES
from tests.support.calls import get, send
from tests.support.events import event_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inference.http.application import Application

ERRORS = {*_STATUSES.values(), 500}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in load_document()["paths"].items():
        for method in METHODS & item.keys():
            yield method.upper(), path, item[method]


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "$ref":
                yield inner.removeprefix("#/components/")
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def registered(surface: Application) -> set[tuple[str, str]]:
    """The methods and addresses that answer, as OpenAPI writes them."""
    resolver = surface._routes()._resolver
    routes = resolver._static_routes + resolver._dynamic_routes
    # No path at all is how a stage's address without its slash arrives: as "/".
    return {(route.method, re.sub(r"<(\w+)>", r"{\1}", route.path) or "/") for route in routes}


def test_the_document_is_as_openapi_3_1_says() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(load_document()).iter_errors()] == []


def test_every_route_is_documented_and_nothing_else(surface: Application) -> None:
    assert {(method, path) for method, path, _ in operations()} == registered(surface)


def test_the_document_is_what_is_served(surface: Application) -> None:
    answer = get(surface, "/openapi.json")
    assert (answer.status, answer.json) == (200, load_document())
    assert answer.headers["Content-Type"] == "application/json"


def test_the_document_is_of_this_release_and_the_same_each_time() -> None:
    assert load_document()["info"]["version"] == VERSION
    assert json.dumps(load_document()) == json.dumps(load_document())


def test_every_status_of_an_error_has_a_response() -> None:
    responses = load_document()["components"]["responses"]
    used = {
        (int(status), response["$ref"].removeprefix("#/components/responses/"))
        for _, _, operation in operations()
        for status, response in operation["responses"].items()
        if "$ref" in response
    }
    assert {status for status, _ in used} == ERRORS
    assert sorted(name for _, name in used) == sorted(responses)


def test_every_datatype_and_every_bound_of_latency_is_in_the_document() -> None:
    schemas = load_document()["components"]["schemas"]
    for name in ("TensorMetadata", "InputTensor", "OutputTensor"):
        assert schemas[name]["properties"]["datatype"]["enum"] == sorted(DATATYPES)
    latency = schemas["VersionStatistics"]["properties"]["latency_ms"]
    assert latency["required"] == [*(f"le_{bound}" for bound in BOUNDS_MS), "count"]


def test_every_component_is_used_and_every_use_has_one() -> None:
    components = load_document()["components"]
    made = {f"{kind}/{name}" for kind, named in components.items() for name in named}
    assert made == set(references(load_document()))


@pytest.mark.parametrize("prefix", ["", "/dev", "/v1/models-of-ours"])
def test_the_servers_address_is_right_under_a_prefix(prefix: str) -> None:
    (server,) = load_document()["servers"]
    served_at = f"https://example.com{prefix}/openapi.json"
    assert urljoin(served_at, server["url"]).rstrip("/") == f"https://example.com{prefix}"


def test_the_document_is_served_under_a_stage(surface: Application) -> None:
    event = event_file("http_api_stage")
    stage = event["requestContext"]["stage"]
    event["rawPath"] = f"/{stage}/openapi.json"
    event["requestContext"]["http"] |= {"method": "GET", "path": event["rawPath"]}
    assert send(surface, event).json == load_document()


def test_what_runs_a_model_says_every_way_in_which_it_can_fail() -> None:
    runs = [op for _, path, op in operations() if path.endswith(("/infer", "/predict"))]
    assert len(runs) == 7
    for operation in runs:
        assert set(operation["responses"]) == {"200", *map(str, ERRORS)}
