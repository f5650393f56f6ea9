"""`GET /` as it is answered: its headers, its policy, and that it is what is in the code."""

from __future__ import annotations

import base64
import gzip
import hashlib
from typing import TYPE_CHECKING

import httpx
import pytest

from infra.bundling.function_code import READER_ROOMS, gather_code
from tests.inference.http.page.markup import PAGE, read_markup
from tests.support.calls import get, http_event, send
from tests.support.commands import serving
from tests.support.events import event_file

if TYPE_CHECKING:
    from pathlib import Path

    from inference.http.application import Application
    from tests.support.calls import Answer


def policy(answer: Answer) -> dict[str, list[str]]:
    directives = answer.headers["Content-Security-Policy"].split("; ")
    return {name: values for name, *values in (each.split() for each in directives)}


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_page_is_the_file(application: Application) -> None:
    answer = get(application, "/")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.body == PAGE.read_bytes()
    assert "Coldpress-Model" not in answer.headers


def test_its_policy_allows_its_own_style_and_script_by_their_digests_alone(
    application: Application,
) -> None:
    allowed = policy(get(application, "/"))
    markup = read_markup()
    assert allowed["style-src"] == [digest(text) for text in markup.inline["style"]]
    assert allowed["script-src"] == [digest(text) for text in markup.inline["script"]]
    assert len(allowed["style-src"]) == len(allowed["script-src"]) == 1


def test_its_policy_allows_calls_to_where_it_came_from_and_pictures_made_here(
    application: Application,
) -> None:
    allowed = policy(get(application, "/"))
    del allowed["style-src"], allowed["script-src"]
    assert allowed == {
        "default-src": ["'none'"],
        "connect-src": ["'self'"],
        "img-src": ["blob:", "data:"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
        "frame-ancestors": ["'none'"],
        "require-trusted-types-for": ["'script'"],
        "trusted-types": ["'none'"],
    }


def test_it_is_taken_for_nothing_else_and_tells_nobody_where_it_is(
    application: Application,
) -> None:
    headers = get(application, "/").headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_who_has_it_already_is_told_so(application: Application) -> None:
    first = get(application, "/")
    assert first.headers["Cache-Control"] == "no-cache"
    asked = {"if-none-match": f'"other", {first.headers["ETag"]}', "accept-encoding": "gzip"}
    again = send(application, http_event("GET", "/", headers=asked))
    assert (again.status, again.body) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Content-Security-Policy" in again.headers
    assert again.headers["Vary"] == first.headers["Vary"] == "Accept-Encoding"
    other = send(application, http_event("GET", "/", headers={"if-none-match": '"other"'}))
    assert other.status == 200


@pytest.mark.parametrize("form", ["*", " * ", "{strong}", 'W/"other", {strong}', "{weak}"])
def test_any_form_in_which_it_is_named_is_it(application: Application, form: str) -> None:
    weak = get(application, "/").headers["ETag"]
    asked = {"if-none-match": form.format(weak=weak, strong=weak.removeprefix("W/"))}
    assert send(application, http_event("GET", "/", headers=asked)).status == 304


def test_over_http_what_is_not_sent_again_has_no_length(page_store: Path, tmp_path: Path) -> None:
    with (
        serving(tmp_path / "stderr", "--store", page_store) as server,
        httpx.Client(base_url=server.url, trust_env=False) as client,
    ):
        etag = client.get("/").headers["ETag"]
        again = client.get("/", headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert "Content-Length" not in again.headers


def test_it_is_compressed_for_who_takes_it_so(application: Application) -> None:
    answer = send(application, http_event("GET", "/", headers={"accept-encoding": "gzip, br"}))
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.body) == PAGE.read_bytes()


@pytest.mark.parametrize("path", ["/prod/", "/prod"])
def test_a_stage_has_it_with_and_without_a_slash(application: Application, path: str) -> None:
    event = event_file("http_api_stage")
    event["rawPath"] = event["requestContext"]["http"]["path"] = path
    event["requestContext"]["http"]["method"] = "GET"
    assert send(application, event).body == PAGE.read_bytes()


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_as_everywhere(application: Application, method: str) -> None:
    answer = send(application, http_event(method, "/"))
    assert (answer.status, answer.error) == (405, f"there is no {method} /: expected GET")
    assert answer.headers["Allow"] == "GET"


def test_the_functions_code_has_it(tmp_path: Path) -> None:
    built = gather_code(READER_ROOMS, tmp_path, None)
    assert (built.folder / "inference/http/page.html").read_bytes() == PAGE.read_bytes()
