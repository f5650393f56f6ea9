"""Mutations: The binary tensor extension, and compression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.conformance.wrong import edits
from tests.conformance.wrong.edits import asked, refusing, refusing_inferences
from tests.conformance.wrong.server import Mutation

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wrong.server import Call, Reply


def _bytes(edit: Callable[[bytes], bytes]) -> Callable[[Call, Reply], None]:
    """Change what follows the JSON of an answer."""

    def after(_: Call, reply: Reply) -> None:
        if edits.LENGTH in reply.headers and "content-encoding" not in reply.headers:
            split = int(reply.headers[edits.LENGTH])
            reply.body = reply.body[:split] + edit(reply.body[split:])

    return after


def _headers(**changes: str | None) -> Callable[[Call], None]:
    """Change a call's headers; None takes one away."""

    def before(call: Call) -> None:
        for key, value in changes.items():
            call.headers.pop(key.replace("_", "-"), None)
            if value is not None:
                call.headers[key.replace("_", "-")] = value

    return before


def _never_binary(document: Any) -> None:
    if isinstance(document, dict):
        document.pop("parameters", None)
        for item in document.get("outputs", ()):
            item.pop("parameters", None)


def _always_binary(document: Any) -> None:
    document["parameters"] = {"binary_data_output": True}


def _no_exceptions(document: Any) -> None:
    for item in document.get("outputs", ()):
        if item.get("parameters") == {"binary_data": False}:
            del item["parameters"]


def _all_or_none(document: Any) -> None:
    flags = [item.get("parameters", {}).get("binary_data") for item in document.get("outputs", ())]
    if any(flags):
        _always_binary(document)
        for item in document["outputs"]:
            item.pop("parameters")


def _in_the_models_order(document: Any) -> None:
    document["inputs"].sort(key=lambda item: item["name"])


def _is_mixed(document: Any) -> bool:
    return len({"data" in item for item in document["inputs"]}) > 1


def _has_no_bytes(document: Any) -> bool:
    return any(
        item.get("parameters", {}).get("binary_data_size") == 0 for item in document["inputs"]
    )


def _not_json(_: Call, reply: Reply) -> None:
    reply.body = reply.body.replace(b"null", b"NaN")


def _chunked(_: Call, reply: Reply) -> None:
    reply.chunked = True


def _one_off(call: Call) -> None:
    if "content-encoding" in call.headers and edits.LENGTH in call.headers:
        call.headers[edits.LENGTH] = str(int(call.headers[edits.LENGTH]) + 1)


MUTATIONS = (
    # Bytes.
    Mutation(
        "bytes-backwards",
        ("binary.[A-Z]*", "binary.out", "binary.raw", "compression.binary"),
        after=lambda call, reply: (
            None
            if edits.LENGTH not in reply.headers
            else (
                reply.headers.pop("content-encoding", None),
                _bytes(lambda data: data[::-1])(call, reply),
            )
        ),
    ),
    Mutation(
        "json-though-bytes-are-asked-for",
        (
            "binary.[A-Z]*",
            "binary.out",
            "binary.out.content-type",
            "binary.mixed-*",
            "binary.empty",
            "binary.overridden",
        ),
        before=asked(_never_binary),
    ),
    Mutation(
        "bytes-though-json-is-asked-for",
        ("binary.in", "data.[A-Z]*", "infer.response"),
        before=asked(_always_binary),
    ),
    Mutation("bytes-without-a-length", ("binary.out.content-length",), after=_chunked),
    Mutation("bytes-in-the-models-order", ("binary.order",), before=asked(_in_the_models_order)),
    Mutation("no-mixed-inputs", ("binary.mixed-inputs",), before=refusing_inferences(_is_mixed)),
    Mutation("all-outputs-as-bytes-or-none", ("binary.mixed-outputs",), before=asked(_all_or_none)),
    Mutation("the-default-is-final", ("binary.overridden",), before=asked(_no_exceptions)),
    Mutation(
        "no-tensor-without-bytes", ("binary.empty",), before=refusing_inferences(_has_no_bytes)
    ),
    Mutation(
        "no-raw-body",
        ("binary.raw",),
        before=refusing(lambda call: call.headers.get(edits.LENGTH) == "0"),
    ),
    Mutation("nan-in-json", ("binary.not-finite",), after=_not_json),
    # Compression.
    Mutation(
        "no-compressed-requests",
        ("compression.request.*", "compression.both", "compression.binary"),
        before=refusing(lambda call: "content-encoding" in call.headers, 415),
    ),
    Mutation(
        "no-compressed-answers",
        ("compression.response.gzip", "compression.response.deflate", "compression.both"),
        before=_headers(accept_encoding=None),
    ),
    Mutation(
        "always-gzip",
        ("compression.response.none", "compression.response.deflate"),
        before=_headers(accept_encoding="gzip"),
    ),
    Mutation("json-length-is-one-off", ("compression.binary",), before=_one_off),
)
