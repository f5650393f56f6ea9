"""Appearance of the page in a real Chromium: on a phone and a desktop, light and dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.inference.http.page.stores import LONGEST_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.inference.http.page.conftest import Opened
    from tests.inference.http.page.tabs import Tab

pytestmark = pytest.mark.slow

BACKGROUND = "() => getComputedStyle(document.documentElement).backgroundColor"
DURATIONS = """() => [...document.querySelectorAll("*")].map(
  (element) => getComputedStyle(element).transitionDuration)"""


def adder(tab: Tab) -> None:
    tab.open("adder").send()


def an_error(tab: Tab) -> None:
    tab.open("echo")
    tab.page.locator("#text").fill("no")
    tab.expect_refusal(400)
    tab.press()


def a_long_name(tab: Tab) -> None:
    tab.open(LONGEST_NAME).send()


def a_file(tab: Tab) -> None:
    tab.open("magika")
    name = "a-file-" + "with-a-long-name-" * 12
    tab.page.locator("#file").set_input_files(
        {"name": name, "mimeType": "application/" + "x" * 90, "buffer": b"text"}
    )
    tab.send()


def wide_values(tab: Tab) -> None:
    tab.open("echo")
    tab.query("answer=wide&" + "x" * 200)
    tab.send()


def a_picture(tab: Tab) -> None:
    tab.open("echo")
    tab.query("answer=png")
    tab.send()


VIEWS = [adder, an_error, a_long_name, a_file, wide_values, a_picture]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__)
def test_nothing_is_wider_than_the_window(opened: Opened, view: Callable[[Tab], None]) -> None:
    tab = opened()
    view(tab)
    for width in (1280, 1152, 900, 360, 320):
        tab.page.set_viewport_size({"width": width, "height": 800})
        assert (width, tab.overflow()) == (width, 0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_an_audit_of_accessibility_finds_nothing(opened: Opened, width: int, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe  # noqa: PLC0415 - `make test` has none

    tab = opened(width=width, color_scheme=scheme)
    for view in (adder, an_error, a_file):
        view(tab)
        if tab.page.locator("#older").is_visible():
            tab.page.locator("#older summary").click()
        found = Axe().run(tab.page).response
        assert len(found["passes"]) > 20
        assert {each["id"] for each in found["passes"]} >= {"color-contrast", "label", "region"}
        assert [(each["id"], each["nodes"]) for each in found["violations"]] == []


def test_it_is_dark_where_that_is_wanted(opened: Opened) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        tab = opened(color_scheme=scheme).open("adder")
        color = re.findall(r"\d+", tab.page.evaluate(BACKGROUND))
        brightness[scheme] = sum(map(int, color)) / 3
    assert brightness["light"] > 230
    assert brightness["dark"] < 40


def test_nothing_moves_where_that_is_not_wanted(opened: Opened) -> None:
    moving = {
        motion: set(opened(reduced_motion=motion).open("adder").page.evaluate(DURATIONS)) != {"0s"}
        for motion in ("no-preference", "reduce")
    }
    assert moving == {"no-preference": True, "reduce": False}
