"""Building blocks of mutations: edits of JSON in calls and answers that keep binary parts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.conformance.wrong.server import Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.conformance.wrong.server import Call

    Edit = Callable[[Any], object]

LENGTH = "inference-header-content-length"
DONE = 200
FAILED = 400


def refuse(status: int = FAILED, text: str = "not here") -> Reply:
    """An error as it should be."""
    body = json.dumps({"error": text}).encode()
    return Reply(status, {"content-type": "application/json"}, body)


def _edited(holder: Call | Reply, edit: Edit) -> None:
    """Change the JSON of a body in place; what is not JSON stays as it is."""
    split = int(holder.headers.get(LENGTH, len(holder.body)))
    try:
        document = json.loads(holder.body[:split])
    except ValueError:
        return
    edit(document)
    head = json.dumps(document).encode()
    holder.body = head + holder.body[split:]
    if LENGTH in holder.headers:
        holder.headers[LENGTH] = str(len(head))


def runs(call: Call) -> bool:
    """Return True if a call is an inference."""
    return call.path.endswith("/infer")


def asked(edit: Edit) -> Callable[[Call], None]:
    """Change an inference request."""

    def before(call: Call) -> None:
        if runs(call) and "content-encoding" not in call.headers:
            _edited(call, edit)

    return before


def asked_inputs(edit: Edit) -> Callable[[Call], None]:
    """Change each input of an inference request."""

    def change(document: Any) -> None:
        if isinstance(document, dict):
            for item in document.get("inputs", ()):
                edit(item)

    return asked(change)


def answered(edit: Edit, where: str = "/infer") -> Callable[[Call, Reply], None]:
    """Change the JSON of what was answered at addresses that hold `where`."""

    def after(call: Call, reply: Reply) -> None:
        if where in call.path and reply.status == DONE and "content-encoding" not in reply.headers:
            _edited(reply, edit)

    return after


def outputs(edit: Edit) -> Callable[[Call, Reply], None]:
    """Change each output of an inference's answer."""

    def change(document: Any) -> None:
        for item in document["outputs"]:
            edit(item)

    return answered(change)


def values(edit: Callable[[list[Any], str], list[Any]]) -> Callable[[Call, Reply], None]:
    """Change the JSON data of each output by a function of the data and the datatype."""

    def change(item: Any) -> None:
        if "data" in item:
            item["data"] = edit(item["data"], item["datatype"])

    return outputs(change)


def at(ending: str, status: int, body: bytes = b"") -> Callable[[Call, Reply], None]:
    """Answer otherwise at addresses that end so."""

    def after(call: Call, reply: Reply) -> None:
        if call.path.endswith(ending):
            reply.status, reply.body = status, body

    return after


def failing(change: Callable[[Reply], object]) -> Callable[[Call, Reply], None]:
    """Change what is an error."""

    def after(_: Call, reply: Reply) -> None:
        if reply.status >= FAILED:
            change(reply)

    return after


def refusing(
    if_so: Callable[[Call], object], status: int = FAILED
) -> Callable[[Call], Reply | None]:
    """Refuse some calls that are right."""
    return lambda call: refuse(status) if if_so(call) else None


def refusing_inferences(if_so: Callable[[Any], object]) -> Callable[[Call], Reply | None]:
    """Refuse some inferences, by their JSON."""

    def before(call: Call) -> Reply | None:
        if not runs(call):
            return None
        split = int(call.headers.get(LENGTH, len(call.body)))
        return refuse() if if_so(json.loads(call.body[:split])) else None

    return before
