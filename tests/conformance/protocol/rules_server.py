"""Requirements of the server as a whole: health, metadata, addresses and methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .requirement import must, should
from .server import infer_path

if TYPE_CHECKING:
    from .server import Server


@must("server.live", "Server Live")
def a_server_that_answers_is_live(server: Server) -> None:
    server.get("/v2/health/live").ok()


@should("server.live.body", "Server Live Response JSON Object")
def liveness_is_also_told_as_json(server: Server) -> None:
    found = server.get("/v2/health/live").ok().object()
    assert found.get("live") is True, f"'live' is not true: {found}"


@must("server.ready", "Server Ready")
def a_server_that_can_answer_is_ready(server: Server) -> None:
    server.get("/v2/health/ready").ok()


@should("server.ready.body", "Server Ready Response JSON Object")
def readiness_is_also_told_as_json(server: Server) -> None:
    found = server.get("/v2/health/ready").ok().object()
    # The specification's schema has `live` here; its API definitions mean readiness.
    assert found.get("live", found.get("ready")) is True, f"neither 'live' nor 'ready': {found}"
    assert found.get("ready", True) is True, f"'ready' is not true: {found}"


@must("server.metadata", "Server Metadata Response JSON Object")
def the_server_says_its_name_version_and_extensions(server: Server) -> None:
    found = server.get("/v2").ok().object()
    for key in ("name", "version"):
        assert isinstance(found.get(key), str), f"no string at {key!r}"
        assert found[key], f"{key!r} is empty"
    extensions = found.get("extensions")
    assert isinstance(extensions, list), "no list at 'extensions'"
    assert all(isinstance(each, str) for each in extensions), f"extensions {extensions}"


@should("server.metadata.content-type", "HTTP/REST")
def metadata_is_said_to_be_json(server: Server) -> None:
    server.get("/v2").ok().is_json()
    server.get(f"/v2/models/{server.any_model().name}").ok().is_json()


@must("http.wrong-method", "HTTP/REST: table of APIs")
def an_api_is_not_answered_by_another_method(server: Server) -> None:
    model = server.any_model()
    tried = (
        ("GET", infer_path(model)),
        ("POST", "/v2"),
        ("POST", "/v2/health/ready"),
        ("DELETE", f"/v2/models/{model.name}"),
    )
    for method, path in tried:
        found = server.send(method, path, b"{}" if method == "POST" else None)
        assert 400 <= found.status < 500, f"{method} {path}: status {found.status}"


@should("http.wrong-method.status", "HTTP/REST (RFC 9110, 405 Method Not Allowed)")
def another_method_is_refused_with_405_and_the_methods_that_are_allowed(server: Server) -> None:
    found = server.send("GET", infer_path(server.any_model()))
    assert found.status == 405, f"status {found.status}"
    assert "POST" in found.headers.get("allow", ""), f"Allow is {found.headers.get('allow')!r}"


@should("http.wrong-method.body", "Inference Response JSON Error Object")
def another_method_is_refused_by_an_error_object(server: Server) -> None:
    server.send("GET", infer_path(server.any_model())).is_error()


@must("http.unknown-address", "HTTP/REST: table of APIs")
def an_address_that_no_api_has_is_not_found(server: Server) -> None:
    found = server.get("/v2/no-such-api")
    assert found.status == 404, f"status {found.status}"


@should("http.unknown-address.body", "Server Metadata Response JSON Error Object")
def an_address_that_no_api_has_is_refused_by_an_error_object(server: Server) -> None:
    server.get("/v2/no-such-api").is_error()
