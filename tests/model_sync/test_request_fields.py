"""Fields of each verb's request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from model_sync.errors import RequestError
from model_sync.request_fields import MOST_CHARACTERS, Reference, RequestFields

if TYPE_CHECKING:
    from collections.abc import Callable

GOOD = ["magika", "magika@7", "magika:canary", "a", "0-_@999999999999999999"]


@pytest.mark.parametrize("text", GOOD)
def test_a_reference_is_read_as_it_is_written(text: str) -> None:
    assert str(Reference.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "A", "a@", "a@0", "a@x", "a@-1", "a@\u0661", "a:", "a:B", "a@1:b", "../a", "a@1@2"]
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        Reference.parse(text)


REFUSALS: dict[str, tuple[Any, Callable[[RequestFields], object], str]] = {
    "missing": (None, lambda asked: asked.text("x"), "'x' is missing"),
    "no text": (1, lambda asked: asked.text("x"), "'x' is not a text"),
    "too long": ("a" * (MOST_CHARACTERS + 1), lambda asked: asked.text("x"), "at most 1024"),
    "half a surrogate": ("\ud800", lambda asked: asked.text("x"), "is not UTF-8"),
    "no model": ("No", lambda asked: asked.model("x"), "model name 'No' is refused"),
    "no label": ("No", lambda asked: asked.label("x", "latest"), "label 'No' is refused"),
    "no number": ("1", lambda asked: asked.whole("x", 1, 5), "'x' is '1': expected a number"),
    "true": (True, lambda asked: asked.whole("x", 1, 5), "'x' is True"),
    "too small": (0, lambda asked: asked.whole("x", 1, 5), "from 1 to 5"),
    "too large": (6, lambda asked: asked.whole("x", 1, 5), "from 1 to 5"),
    "version 0": (0, lambda asked: asked.optional_version("x"), "'x' is 0"),
    "no flag": ("yes", lambda asked: asked.flag("x"), "expected true or false"),
    "no shares": ([], lambda asked: asked.shares("x"), "expected percentages by label"),
    "half a percent": ({"a": 0.5}, lambda asked: asked.shares("x"), "a=0.5 is no share"),
    "share of no name": ({"A": 5}, lambda asked: asked.shares("x"), "label 'A' is refused"),
    "left over": ("y", lambda asked: asked.done(), "'x' is no field of this verb"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_field_that_is_wrong_is_named_in_one_line(case: str) -> None:
    value, take, reason = REFUSALS[case]
    with pytest.raises(RequestError) as raised:
        take(RequestFields({"x": value}))
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)


def test_fields_are_taken_once_and_none_is_as_if_not_given() -> None:
    asked = RequestFields({"model": "a", "label": None, "n": 3, "to": None, "dry_run": True})
    assert (asked.model(), asked.label("label", "latest"), asked.whole("n", 1, 5)) == (
        "a",
        "latest",
        3,
    )
    assert (asked.optional_version("to"), asked.flag("dry_run"), asked.flag("other")) == (
        None,
        True,
        False,
    )
    asked.done()
