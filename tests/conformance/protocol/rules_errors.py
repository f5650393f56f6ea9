"""Requirements of refusals: the error object, the status, and a server that keeps serving.

Each case has two requirements: the answer is an error with the error object, and its status says
that the caller is at fault (4xx; 404 for a missing model or version).
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from .requirement import Level, NotOfferedError, Requirement, add
from .server import infer_path, inputs_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from .answer import Answer
    from .server import Server

MUST, SHOULD = Level.MUST, Level.SHOULD
ERRORS = "Inference Response JSON Error Object"


class Case(NamedTuple):
    """A request that cannot be answered. `level`: how clearly the specification says so."""

    name: str
    level: Level
    section: str
    what: str
    send: Callable[[Server], Answer]
    status: int | None = None


def _body(body: bytes, server: Server) -> Answer:
    return server.post(infer_path(server.any_model()), body)


def _place(place: str, server: Server) -> Answer:
    model = server.any_model()
    return server.infer(model, inputs_for(model), place)


def _unknown_model(server: Server) -> Answer:
    return server.infer("no-such-model", inputs_for(server.any_model()))


def _input(change: Callable[[dict[str, Any]], object], server: Server) -> Answer:
    """The first input is changed."""
    model = server.any_model()
    inputs = inputs_for(model)
    change(inputs[0])
    return server.infer(model, inputs)


def _document(document: object, server: Server) -> Answer:
    return _body(json.dumps(document).encode(), server)


def _unknown_output(server: Server) -> Answer:
    model = server.any_model()
    return server.infer(model, inputs_for(model), outputs=[{"name": "no_such_output"}])


def _wrong_size(server: Server) -> Answer:
    for model in server.models.values():
        for number, spec in enumerate(model.inputs):
            if any(size > 0 for size in spec.shape):
                inputs = inputs_for(model)
                shape = inputs[number]["shape"]
                at = next(at for at, size in enumerate(spec.shape) if size > 0)
                inputs[number]["data"] = inputs[number]["data"] * (shape[at] + 1)
                inputs[number]["shape"] = [
                    *shape[:at],
                    shape[at] * (shape[at] + 1),
                    *shape[at + 1 :],
                ]
                return server.infer(model, inputs)
    raise NotOfferedError("a model with an input of a fixed size")


def _other_datatype(item: dict[str, Any]) -> None:
    item["datatype"] = "INT32" if item["datatype"] == "FP32" else "FP32"


CASES = (
    Case("unknown-model", MUST, "Inference", "an unknown model", _unknown_model, 404),
    Case(
        "unknown-version",
        MUST,
        "Inference",
        "an unknown version",
        partial(_place, "/versions/999999"),
        404,
    ),
    Case("not-json", MUST, "HTTP/REST", "a body that is not JSON", partial(_body, b'{"inputs": [')),
    Case("empty-body", MUST, "Inference", "an empty body", partial(_body, b"")),
    Case(
        "not-utf-8",
        SHOULD,
        "HTTP/REST",
        "a body that is not UTF-8",
        partial(_body, b'{"id":"\xff"}'),
    ),
    Case("not-an-object", MUST, "Inference Request JSON Object", "a list", partial(_document, [1])),
    Case(
        "no-inputs",
        MUST,
        "Inference Request JSON Object: inputs",
        "no inputs",
        partial(_document, {"id": "1"}),
    ),
    Case(
        "inputs-no-list",
        MUST,
        "Inference Request JSON Object: inputs",
        "inputs that are no list",
        partial(_document, {"inputs": {"x": 1}}),
    ),
    Case(
        "missing-input",
        MUST,
        "Model Metadata Response JSON Object: inputs",
        "a request without an input that the model requires",
        partial(_document, {"inputs": []}),
    ),
    Case(
        "wrong-name",
        MUST,
        "Request Input: name",
        "an input that the model does not have",
        partial(_input, lambda item: item.update(name="no_such_input")),
    ),
    Case(
        "no-name",
        MUST,
        "Request Input: name",
        "an input without a name",
        partial(_input, lambda item: item.pop("name")),
    ),
    Case(
        "wrong-datatype",
        SHOULD,
        "Request Input: datatype",
        "an input of another datatype than the model's",
        partial(_input, _other_datatype),
    ),
    Case(
        "unknown-datatype",
        MUST,
        "Tensor Data Types",
        "a datatype that there is not",
        partial(_input, lambda item: item.update(datatype="FP99")),
    ),
    Case(
        "no-datatype",
        MUST,
        "Request Input: datatype",
        "an input without a datatype",
        partial(_input, lambda item: item.pop("datatype")),
    ),
    Case(
        "no-shape",
        MUST,
        "Request Input: shape",
        "an input without a shape",
        partial(_input, lambda item: item.pop("shape")),
    ),
    Case(
        "negative-size",
        MUST,
        "Request Input: shape",
        "a size below zero",
        partial(_input, lambda item: item.update(shape=[-1] * len(item["shape"]))),
    ),
    Case(
        "wrong-rank",
        SHOULD,
        "Model Metadata Response JSON Object: shape",
        "an input of more dimensions than the model's",
        partial(_input, lambda item: item.update(shape=[1, 1, *item["shape"]])),
    ),
    Case(
        "wrong-size",
        SHOULD,
        "Model Metadata Response JSON Object: shape",
        "an input of another size than the model's",
        _wrong_size,
    ),
    Case(
        "no-data",
        MUST,
        "Request Input: data",
        "an input without data",
        partial(_input, lambda item: item.pop("data")),
    ),
    Case(
        "too-few-elements",
        MUST,
        "Request Input: data",
        "fewer elements than the shape has",
        partial(_input, lambda item: item.update(data=item["data"][:-1])),
    ),
    Case(
        "too-many-elements",
        MUST,
        "Request Input: data",
        "more elements than the shape has",
        partial(_input, lambda item: item.update(data=item["data"] + item["data"][:1])),
    ),
    Case(
        "unknown-output",
        MUST,
        "Request Output: name",
        "an output that the model does not have",
        _unknown_output,
    ),
)


def _is_error(case: Case, server: Server) -> None:
    case.send(server).is_error()


def _says_whose_fault(case: Case, server: Server) -> None:
    found = case.send(server).status
    if case.status is not None:
        assert found == case.status, f"status {found}, expected {case.status}"
    else:
        assert 400 <= found < 500, f"status {found}, expected 4xx"


for one in CASES:
    sentence = f"{one.what} is refused by an error object"
    add(Requirement(f"error.{one.name}", one.level, one.section, sentence, partial(_is_error, one)))
    expected = one.status or "4xx"
    sentence = f"{one.what} is refused with status {expected}"
    check = partial(_says_whose_fault, one)
    add(Requirement(f"error.{one.name}.status", SHOULD, ERRORS, sentence, check))


def _content_type(server: Server) -> None:
    _body(b"{", server).is_json()


add(
    Requirement(
        "error.content-type",
        SHOULD,
        ERRORS,
        "an error object is said to be JSON",
        _content_type,
    )
)
