"""Mutations: The server as a whole, its errors and its connections."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.conformance.wrong.edits import answered, at, failing, runs
from tests.conformance.wrong.server import Mutation, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wrong.server import Call

REFUSALS = (
    "error.[!c]*",
    "data.wrong-kind",
    "data.null",
    "data.out-of-range",
    "data.fraction",
    "data.ragged",
    "binary.error.*",
    "compression.error",
    "repository.load.unknown",
    "statistics.unknown",
    "configuration.unknown",
    "labels.unknown",
    "model.metadata.unknown",
    "model.metadata.unknown-version",
)
STATUSES = ("error.*.status", "model.metadata.unknown.status", "http.wrong-method")
BODIES = ("error.[!c]*[!s]", *REFUSALS[1:], "http.wrong-method.body", "http.unknown-address.body")


def _text(reply: Reply) -> None:
    reply.body, reply.headers["content-type"] = b"something is wrong", "text/plain"


def _detail(reply: Reply) -> None:
    reply.body = json.dumps({"detail": json.loads(reply.body).get("error")}).encode()


def _status(number: int) -> Callable[[Reply], None]:
    def change(reply: Reply) -> None:
        reply.status = number

    return change


def _typed(content_type: str) -> Callable[[Call, Reply], None]:
    def after(_: Call, reply: Reply) -> None:
        reply.headers["content-type"] = content_type

    return after


def _drops(reply: Reply) -> None:
    reply.drops = True


def _without_chunks(call: Call) -> None:
    if "transfer-encoding" in call.headers:
        call.body = b""


MUTATIONS = (
    # The server as a whole.
    Mutation("live-503", ("server.live",), after=at("/live", 503)),
    Mutation("live-says-nothing", ("server.live.body",), after=at("/live", 200)),
    Mutation("ready-503", ("server.ready",), after=at("/health/ready", 503)),
    Mutation("ready-says-nothing", ("server.ready.body",), after=at("/health/ready", 200)),
    Mutation(
        "ready-says-false",
        ("server.ready.body",),
        after=at("/health/ready", 200, b'{"live": true, "ready": false}'),
    ),
    Mutation(
        "no-server-version",
        ("server.metadata",),
        after=answered(lambda d: d.pop("version", None), "/v2"),
    ),
    Mutation(
        "extensions-are-text",
        ("server.metadata",),
        after=answered(lambda d: d.update(extensions="all") if "extensions" in d else None, "/v2"),
    ),
    Mutation(
        "all-is-text",
        (
            "server.metadata.content-type",
            "infer.response.content-type",
            "error.content-type",
            "binary.out.content-type",
        ),
        after=_typed("text/plain"),
    ),
    Mutation(
        "get-runs-a-model",
        ("http.wrong-method",),
        before=lambda call: Reply(200, {}, b"{}") if runs(call) and call.method == "GET" else None,
    ),
    Mutation("any-address-is-fine", ("http.unknown-address",), after=at("/no-such-api", 200)),
    # Errors.
    Mutation("errors-are-text", BODIES, after=failing(_text)),
    Mutation("errors-are-details", BODIES, after=failing(_detail)),
    Mutation("errors-are-200", (*REFUSALS, *STATUSES), after=failing(_status(200))),
    Mutation(
        "errors-are-500",
        (
            *STATUSES,
            "http.unknown-address",
            "binary.error.*",
            "compression.error",
            "labels.unknown",
        ),
        after=failing(_status(500)),
    ),
    Mutation(
        "nothing-is-404",
        (
            "error.unknown-*[em][ln].status",
            "model.metadata.unknown.status",
            "http.unknown-address",
            "labels.unknown",
        ),
        after=failing(_status(400)),
    ),
    Mutation(
        "allows-nothing",
        ("http.wrong-method.status",),
        after=failing(lambda reply: reply.headers.pop("allow", None)),
    ),
    Mutation("errors-end-the-connection", ("http.after-error",), after=failing(_drops)),
    Mutation("chunks-are-not-read", ("http.chunked",), before=_without_chunks),
)
