"""Every answer says what gave it: the model, the version, the label, the request."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.support.calls import add, get, infer, predict, send
from tests.support.events import event_file
from tests.support.models import adder_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from inference.http.application import Application
    from tests.support.calls import Answer

OWN = ("Coldpress-Model", "Coldpress-Version", "Coldpress-Label")


def named(answer: Answer) -> tuple[str | None, ...]:
    return tuple(answer.headers.get(name) for name in OWN)


CALLS: dict[str, tuple[Callable[[Application], Answer], int, tuple[str | None, ...]]] = {
    "infer": (lambda app: add(app, [1.0, 2.0]), 200, ("adder", "3", "latest")),
    "infer by number": (lambda app: add(app, [1.0, 2.0], version=2), 200, ("adder", "2", None)),
    "predict": (lambda app: predict(app, "echo"), 200, ("echo", "1", "latest")),
    "predict, bytes": (
        lambda app: predict(app, "echo", query={"encode": "png"}), 200, ("echo", "1", "latest"),
    ),
    "metadata": (lambda app: get(app, "/v2/models/adder"), 200, ("adder", "3", "latest")),
    "metadata by number": (
        lambda app: get(app, "/v2/models/adder/versions/2"), 200, ("adder", "2", None),
    ),
    "ready": (lambda app: get(app, "/v2/models/adder/ready"), 200, ("adder", "3", "latest")),
    "refused": (lambda app: infer(app, {}), 400, ("adder", "3", "latest")),
    "refused by number": (lambda app: infer(app, {}, version=2), 400, ("adder", "2", None)),
    "refused by decode": (
        lambda app: predict(app, "echo", query={"decode": "refuse"}), 400, ("echo", "1", "latest"),
    ),
    "failed": (
        lambda app: predict(app, "echo", query={"encode": "raise"}), 500, ("echo", "1", "latest"),
    ),
    "too large": (
        lambda app: predict(
            app, "echo", query={"encode": "big", "unit": "x", "times": "7000000"}
        ),
        413, ("echo", "1", "latest"),
    ),
    "no pipeline": (lambda app: predict(app, "adder"), 404, ("adder", "3", "latest")),
    "unknown model": (lambda app: infer(app, {}, model="nosuch"), 404, (None, None, None)),
    "unknown version": (lambda app: infer(app, {}, version=9), 404, (None, None, None)),
    "unknown route": (lambda app: get(app, "/nowhere"), 404, (None, None, None)),
    "retired": (lambda app: infer(app, {}, version=1), 410, (None, None, None)),
    "server": (lambda app: get(app, "/v2"), 200, (None, None, None)),
    "live": (lambda app: get(app, "/v2/health/live"), 200, (None, None, None)),
}  # fmt: skip


@pytest.mark.parametrize(("call", "status", "expected"), CALLS.values(), ids=CALLS)
def test_an_answer_names_what_gave_it(
    surface: Application,
    call: Callable[[Application], Answer],
    status: int,
    expected: tuple[str | None, ...],
) -> None:
    answer = call(surface)
    assert (answer.status, named(answer)) == (status, expected)
    assert answer.headers["Coldpress-Request-Id"] == "JKJaXmPLvHcESHA="


def test_an_answer_names_nothing_of_the_call_before(surface: Application) -> None:
    assert add(surface, [1.0, 2.0]).status == 200
    assert named(get(surface, "/v2")) == (None, None, None)
    assert named(infer(surface, adder_request([]), model="nosuch")) == (None, None, None)


def test_the_request_id_is_lambdas_where_there_is_one(surface: Application) -> None:
    event = event_file("http_api_infer")
    context = SimpleNamespace(aws_request_id="8476a536-e9f4-11e8-9739-2dfe598c3fcd")
    answer = send(surface, event, context)
    assert answer.headers["Coldpress-Request-Id"] == context.aws_request_id
    assert send(surface, event).headers["Coldpress-Request-Id"] == "JKJaXmPLvHcESHA="
    del event["requestContext"]["requestId"]
    assert send(surface, event).headers["Coldpress-Request-Id"] == ""
