"""The page over stores that are empty, out of reach, or full, and below a stage's name."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from inference.http.events import answer_body, build_event
from tests.inference.http.page.stores import MANY, make_empty_store, make_store_of_many
from tests.support.commands import serving
from tests.support.stores import publish_adder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from inference.http.application import Application
    from tests.inference.http.page.conftest import Opened

pytestmark = pytest.mark.slow

STAGE = "prod"


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store"


def test_an_empty_store_says_how_to_publish_and_then_shows_it(
    opened: Opened, store_path: Path, tmp_path: Path
) -> None:
    make_empty_store(store_path)
    with serving(tmp_path / "stderr", "--store", store_path) as server:
        tab = opened(server.url, width=360)
        tab.page.goto(server.url)
        tab.page.get_by_role("heading", name="Nothing is published yet").wait_for()
        assert "make sync-model" in tab.text("#notice")
        assert not tab.page.get_by_role("navigation").is_visible()
        assert tab.overflow() == 0
        publish_adder(store_path, 1.0)
        tab.page.get_by_role("button", name="Look again").click()
        tab.page.get_by_role("heading", name="adder").wait_for()


def test_a_store_that_is_out_of_reach_is_an_error_until_it_is_back(
    opened: Opened, store_path: Path, tmp_path: Path
) -> None:
    make_empty_store(store_path)
    publish_adder(store_path, 1.0)
    mark, aside = store_path / "STORE.json", tmp_path / "aside"
    with serving(tmp_path / "stderr", "--store", store_path) as server:
        mark.rename(aside)
        tab = opened(server.url, width=360)
        tab.expect_refusal(503)
        tab.page.goto(server.url)
        tab.page.get_by_role("heading", name="The store cannot be read").wait_for()
        assert "STORE.json is missing" in tab.text("#notice .error")
        assert tab.overflow() == 0
        aside.rename(mark)
        tab.page.get_by_role("button", name="Try again").click()
        tab.page.get_by_role("heading", name="adder").wait_for()


def test_a_server_that_is_gone_is_an_error_too(
    opened: Opened, shown_store: Path, tmp_path: Path
) -> None:
    with serving(tmp_path / "stderr", "--store", shown_store) as server:
        tab = opened(server.url).open("adder")
    assert tab.press() == "No answer"
    assert "did not answer" in tab.text("#body .error")
    tab.forget("ERR_CONNECTION_REFUSED")


def test_a_model_that_is_not_there_is_an_error_and_the_others_are_there(opened: Opened) -> None:
    tab = opened()
    tab.expect_refusal(404)
    tab.page.goto(f"{tab.origin}/#/nosuch")
    tab.page.locator("#notice .error").filter(has_text="no model is named 'nosuch'").wait_for()
    tab.page.get_by_role("link", name="echo").click()
    tab.page.get_by_role("heading", name="echo").wait_for()


def test_hundreds_of_models_are_filtered(opened: Opened, store_path: Path, tmp_path: Path) -> None:
    make_store_of_many(store_path)
    with serving(tmp_path / "stderr", "--store", store_path) as server:
        tab = opened(server.url).open("adder")
        assert tab.text("#count") == str(MANY + 1)
        for width, most in ((1280, 700), (360, 300)):
            tab.page.set_viewport_size({"width": width, "height": 800})
            assert tab.page.locator("#models").bounding_box()["height"] < most
            assert tab.overflow() == 0
        tab.page.get_by_label("Models").and_(tab.page.get_by_role("searchbox")).fill("-23")
        assert tab.texts("#models a") == [f"classifier-{number}" for number in range(230, 240)]
        assert tab.text("#count") == f"10 of {MANY + 1}"
        tab.page.locator("#filter").fill("add")
        tab.key("Enter")
        assert tab.page.url.endswith("#/adder")


@pytest.fixture
def stage(application: Application) -> Iterator[str]:
    """The address of a stage whose name is in the path, as API Gateway has it."""

    class Gateway(BaseHTTPRequestHandler):
        def answer(self) -> None:
            path, _, query = self.path.partition("?")
            event = build_event(
                method=self.command,
                path=path,
                query=query,
                headers=self.headers.items(),
                body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            )
            event["requestContext"]["stage"] = STAGE
            if path != f"/{STAGE}" and not path.startswith(f"/{STAGE}/"):
                self.send_error(403)
                return
            answer = application(event, None)
            body = answer_body(answer)
            self.send_response(answer["statusCode"])
            for name, value in {**answer["headers"], "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - named by the library

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Gateway) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("path", [f"/{STAGE}", f"/{STAGE}/"])
def test_below_a_stages_name_it_works_with_and_without_a_slash(
    opened: Opened, stage: str, path: str
) -> None:
    tab = opened(stage).open("adder", path=path)
    assert "by version 3 (latest)" in tab.send()
    assert all(url.startswith(f"{stage}/{STAGE}") for url in tab.requested)
