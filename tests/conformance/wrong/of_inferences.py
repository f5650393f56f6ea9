"""Mutations: Inferences: the response's members, ids, versions, which outputs come."""

from __future__ import annotations

import itertools
import json
import threading
from typing import TYPE_CHECKING, Any

from tests.conformance.wrong.edits import (
    answered,
    asked,
    outputs,
    refusing,
    refusing_inferences,
    runs,
    values,
)
from tests.conformance.wrong.server import Mutation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wrong.server import Call, Reply

DEADLINE_S = 30
INT = "data.*INT*"


def _no_id(document: Any) -> None:
    document.pop("id", None)


def _ascii_id(document: Any) -> None:
    if "id" in document:
        document["id"] = document["id"].encode("ascii", "ignore").decode()


def _by_position(document: Any) -> None:
    names = sorted(item["name"] for item in document["inputs"])
    for item, name in zip(document["inputs"], names, strict=True):
        item["name"] = name


def _counted() -> Callable[[Call, Reply], None]:
    numbers = itertools.count(1)
    return values(lambda data, _: [next(numbers), *data[1:]])


def _exchanged() -> Callable[[Call, Reply], None]:
    """Two concurrent calls get each other's answers."""
    lock = threading.Lock()
    waiting: list[tuple[Reply, threading.Event]] = []

    def after(_: Call, reply: Reply) -> None:
        met = threading.Event()
        with lock:
            if waiting:
                other, told = waiting.pop()
                other.body, reply.body = reply.body, other.body
                told.set()
                return
            waiting.append((reply, met))
        met.wait(DEADLINE_S)

    return after


def _holds(document: Any, *words: str) -> bool:
    return any(word in json.dumps(document) for word in words)


MUTATIONS = (
    Mutation("no-model-name", ("infer.response",), after=answered(lambda d: d.pop("model_name"))),
    Mutation(
        "one-element-less",
        ("infer.response", INT, "data.BYTES"),
        after=values(lambda data, _: data[1:]),
    ),
    Mutation(
        "no-shapes",
        ("infer.response", "data.*"[:-1] + "FP32"),
        after=outputs(lambda item: item.pop("shape")),
    ),
    Mutation(
        "other-datatypes",
        ("infer.response.as-described", "data.FP32", "data.BYTES"),
        after=outputs(
            lambda item: item.update(datatype="UINT16" if item["datatype"] != "UINT16" else "INT16")
        ),
    ),
    Mutation(
        "other-output-names",
        ("infer.response.as-described", "infer.outputs.*"),
        after=outputs(lambda item: item.update(name="output")),
    ),
    Mutation(
        "flat-shapes",
        ("infer.response.as-described", "data.nested"),
        after=outputs(lambda item: item.update(shape=[len(item.get("data", ()))])),
    ),
    Mutation(
        "drops-the-id",
        ("infer.id", "infer.id.any-string", "infer.concurrent", "http.after-error", "binary.id"),
        after=answered(_no_id),
    ),
    Mutation("ids-in-ascii", ("infer.id.any-string",), after=answered(_ascii_id)),
    Mutation(
        "ids-are-numbers",
        ("infer.response.without-id", "infer.id"),
        after=answered(lambda d: d.update(id=7)),
    ),
    Mutation(
        "version-is-one", ("infer.version",), after=answered(lambda d: d.update(model_version="1"))
    ),
    Mutation(
        "version-is-a-number",
        ("infer.version", "infer.version.any", "labels.infer"),
        after=answered(lambda d: d.update(model_version=int(d["model_version"]))),
    ),
    Mutation(
        "one-output-only",
        ("infer.outputs.all",),
        after=answered(lambda d: d.update(outputs=d["outputs"][:1])),
    ),
    Mutation(
        "all-outputs-always",
        ("infer.outputs.named",),
        before=asked(lambda d: d.pop("outputs", None)),
    ),
    Mutation(
        "inputs-by-position", ("infer.inputs.by-name", "binary.order"), before=asked(_by_position)
    ),
    Mutation("never-the-same", ("infer.repeated",), after=_counted()),
    Mutation("answers-get-mixed", ("infer.concurrent",), after=_exchanged()),
    Mutation(
        "wants-a-content-type",
        ("infer.no-content-type",),
        before=refusing(lambda call: runs(call) and "content-type" not in call.headers, 415),
    ),
    Mutation(
        "refuses-parameters",
        ("infer.parameters.*",),
        before=refusing_inferences(lambda d: _holds(d, "no_such_text", "sequence_id")),
    ),
)
