"""A refusal quotes what the caller sent, but only so much of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference.errors import BadRequestError
from tests.support.calls import http_event, infer, send

if TYPE_CHECKING:
    from inference.http.application import Application


@pytest.mark.parametrize("unit", ["x", "\u00e9", "\x00", "\n"])
def test_a_long_refusal_still_says_what_came_and_what_was_expected(
    surface: Application, unit: str
) -> None:
    x = {"name": "x", "shape": [1, 2], "datatype": unit * 1_000_000, "data": [1.0, 2.0]}
    answer = infer(surface, {"inputs": [x]})
    assert answer.status == 400
    assert len(answer.error) == 1000
    assert answer.error.startswith("input 'x' has datatype '")
    assert answer.error.endswith("', expected FP32")


@pytest.mark.parametrize(("length", "left"), [(0, 0), (999, 999), (1000, 1000), (1001, 1000)])
def test_a_message_that_fits_is_left_as_it_is(length: int, left: int) -> None:
    assert len(str(BadRequestError("a" * length))) == left
    assert (str(BadRequestError("a" * length)) == "a" * length) == (length == left)


def test_a_message_is_one_line_wherever_it_is_read() -> None:
    assert str(BadRequestError("a\nb\u2028c")) == "a\\nb\\u2028c"


def test_an_address_that_takes_another_method_is_quoted_as_far_as_a_line_goes(
    surface: Application,
) -> None:
    answer = send(surface, http_event("PUT", f"/v2/models/{'9' * 5000}"))
    assert answer.status == 405
    assert len(answer.error) == 1000
    assert answer.error.endswith(": expected GET")
