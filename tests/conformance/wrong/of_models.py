"""Mutations: Models' descriptions and their readiness."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conformance.wrong.edits import answered, at, refusing
from tests.conformance.wrong.server import Mutation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wrong.server import Call, Reply


def _tensors(change: Callable[[Any], object]) -> Callable[[Call, Reply], None]:
    """Change each tensor of a model's metadata."""

    def edit(document: Any) -> None:
        for item in (*document.get("inputs", ()), *document.get("outputs", ())):
            change(item)

    def after(call: Call, reply: Reply) -> None:
        if call.method == "GET":
            answered(edit, "/v2/models/")(call, reply)

    return after


MUTATIONS = (
    Mutation(
        "no-platform",
        ("model.metadata",),
        after=answered(lambda d: d.pop("platform", None), "/v2/models/"),
    ),
    Mutation(
        "no-outputs-described",
        ("model.metadata",),
        after=answered(lambda d: d.update(outputs=[]), "/v2/models/"),
    ),
    Mutation(
        "datatypes-of-numpy",
        ("model.metadata.datatypes",),
        after=_tensors(lambda t: t.update(datatype="float32")),
    ),
    Mutation(
        "null-is-any-size",
        ("model.metadata.shapes", "model.metadata"),
        after=_tensors(lambda t: t.update(shape=[None if s == -1 else s for s in t["shape"]])),
    ),
    Mutation(
        "minus-two",
        ("model.metadata.shapes",),
        after=_tensors(lambda t: t.update(shape=[-2, *t["shape"]])),
    ),
    Mutation(
        "no-versions",
        (
            "model.metadata.versions",
            "model.ready.version",
            "infer.version",
            "statistics.version",
            "configuration.version",
        ),
        before=refusing(lambda call: "/versions/" in call.path, 404),
    ),
    Mutation(
        "model-not-ready",
        ("model.ready", "model.ready.version", "labels.metadata"),
        after=lambda call, reply: (
            at("/ready", 503)(call, reply) if "/models/" in call.path else None
        ),
    ),
    Mutation("model-ready-says-nothing", ("model.ready.body",), after=at("/ready", 200)),
    Mutation("all-models-are-ready", ("model.ready.unknown",), after=at("/ready", 200)),
)
