"""Calls in several threads at once: each gets its own answer."""

from __future__ import annotations

import base64
import json
import threading
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver

from inference.http.resolver import OneThreadResolver
from tests.support.calls import add, http_event, send
from tests.support.threads import at_once
from tests.support.waiting import DEADLINE_S

if TYPE_CHECKING:
    from inference.http.application import Application
    from tests.support.calls import Handler

THREADS = 8


class Meeting(str):
    """A method whose reader waits until all have come: by then every thread has set its event."""

    __slots__ = ("barrier",)
    barrier: threading.Barrier

    def upper(self) -> str:
        self.barrier.wait(DEADLINE_S)
        return str.upper(self)


def crossed(handler: Handler) -> int:
    """Call a handler that echoes bodies from several threads that meet in it; count mix-ups."""
    meetings: list[bool] = []
    barrier = threading.Barrier(THREADS, action=lambda: meetings.append(True))

    def call(number: int) -> bool:
        method = Meeting("POST")
        method.barrier = barrier
        sent = f"caller {number}".encode()
        event = http_event("POST", "/models/echo/predict", body=sent)
        event["requestContext"]["http"]["method"] = method
        came = base64.b64decode(json.loads(handler(event, None)["body"])["body"])
        return came != sent

    wrong = sum(at_once(THREADS, call))
    assert meetings == [True]
    return wrong


def echoing(resolver: APIGatewayHttpResolver) -> Handler:
    def echo(model: str) -> dict[str, Any]:
        return {"model": model, "body": resolver.current_event.body}

    resolver.post("/models/<model>/predict")(echo)
    return resolver.resolve


def test_each_thread_gets_the_answer_to_its_own_event(surface: Application) -> None:
    for _ in range(10):
        assert crossed(surface) == 0


def test_each_thread_has_a_resolver_that_keeps_its_event_to_itself() -> None:
    resolvers = threading.local()

    def handler(event: Any, context: Any) -> dict[str, Any]:
        if not hasattr(resolvers, "resolve"):
            resolvers.resolve = echoing(OneThreadResolver())
        answer: dict[str, Any] = resolvers.resolve(event, context)
        return answer

    assert crossed(handler) == 0


def test_powertools_own_resolver_would_mix_them_up() -> None:
    # What the two tests above would find if events were kept where Powertools keeps them.
    assert crossed(echoing(APIGatewayHttpResolver())) > 0


def test_inferences_in_several_threads_have_their_own_values(surface: Application) -> None:
    def call(number: int) -> None:
        for turn in range(25):
            x = float(number * 1000 + turn)
            version = 2 + (number + turn) % 2
            answer = add(surface, [x, -x], version=version)
            assert (answer.status, answer.version) == (200, version)
            assert answer.values == [x + version * 100, -x + version * 100]

    at_once(THREADS, call)


def test_errors_and_answers_in_several_threads_stay_apart(surface: Application) -> None:
    def call(number: int) -> None:
        for turn in range(25):
            if (number + turn) % 2:
                name = f"nosuch-{number}-{turn}"
                answer = send(surface, http_event("GET", f"/v2/models/{name}"))
                assert answer.status == 404
                assert name in answer.error
                assert "Coldpress-Model" not in answer.headers
            else:
                assert add(surface, [1.0, 2.0]).headers["Coldpress-Model"] == "adder"

    at_once(THREADS, call)
