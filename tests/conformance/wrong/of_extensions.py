"""Mutations: The repository, statistics, configuration, labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conformance.wrong.edits import answered, at, refuse, refusing
from tests.conformance.wrong.server import Mutation, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wrong.server import Call


def _without_filter(call: Call) -> None:
    if call.path.endswith("/index"):
        call.body = b"{}"


def _nothing(ending: str) -> Callable[[Call], Reply | None]:
    """Say that it is done, and do nothing."""
    return lambda call: Reply(200, {}, b"{}") if call.path.endswith(ending) else None


def _each(key: str, value: object) -> Callable[[Any], None]:
    """Set a key of each element of a list; None takes it away."""

    def change(items: list[dict[str, Any]]) -> None:
        for item in items:
            item.pop(key)
            if value is not None:
                item[key] = value

    return change


def _stats(change: Callable[[Any], object]) -> Callable[[Call, Reply], None]:
    def edit(document: Any) -> None:
        for each in document["model_stats"]:
            change(each)

    return answered(edit, "/stats")


MUTATIONS = (
    # Repository.
    Mutation(
        "index-without-reasons",
        ("repository.index",),
        after=answered(_each("reason", None), "/index"),
    ),
    Mutation(
        "index-says-unavailable",
        ("repository.load", "repository.unload", "repository.index.ready"),
        after=answered(_each("state", "UNAVAILABLE"), "/index"),
    ),
    Mutation(
        "index-is-empty", ("repository.index", "repository.load"), after=at("/index", 200, b"[]")
    ),
    Mutation("index-is-not-filtered", ("repository.index.ready",), before=_without_filter),
    Mutation(
        "unloads-nothing",
        ("repository.unload", "repository.index.ready"),
        before=_nothing("/unload"),
    ),
    Mutation(
        "load-wants-a-body",
        ("repository.load.parameters",),
        before=refusing(lambda call: call.path.endswith("/load") and not call.body),
    ),
    # Statistics and configuration.
    Mutation(
        "stats-without-queue",
        ("statistics.form",),
        after=_stats(lambda s: s["inference_stats"].pop("queue")),
    ),
    Mutation(
        "stats-of-one-call",
        ("statistics.counts",),
        after=_stats(lambda s: s["inference_stats"].update(success={"count": 1, "ns": 1})),
    ),
    Mutation(
        "stats-in-seconds",
        ("statistics.last",),
        after=_stats(lambda s: s.update(last_inference=s["last_inference"] // 1000)),
    ),
    Mutation(
        "stats-without-version", ("statistics.version",), after=_stats(lambda s: s.pop("version"))
    ),
    Mutation(
        "stats-are-empty", ("statistics.[!u]*",), after=at("/stats", 200, b'{"model_stats": []}')
    ),
    Mutation(
        "config-without-types",
        ("configuration", "configuration.version"),
        after=answered(lambda d: _each("data_type", "TYPE_INVALID")(d["input"]), "/config"),
    ),
    Mutation(
        "config-of-other-sizes",
        ("configuration", "configuration.version"),
        after=answered(lambda d: _each("dims", [7])(d["output"]), "/config"),
    ),
    # Labels.
    Mutation(
        "no-labels",
        ("labels.infer", "labels.metadata"),
        before=lambda call: refuse(404) if "/labels/" in call.path else None,
    ),
)
