"""Requirements of labels: movable names of versions, as in TensorFlow Serving.

No specification of the protocol has labels; a server offers them if its description says so.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .answer import outputs_of
from .requirement import NotOfferedError, extension
from .server import inputs_for

if TYPE_CHECKING:
    from .model import Model
    from .server import Server

SECTION = "TensorFlow Serving, RESTful API: labels"

asked = partial(extension, "labels")


def _labelled(server: Server) -> tuple[Model, str]:
    for name, label in server.target.labels:
        return server.models[name], f"/labels/{label}"
    raise NotOfferedError("a model with a label")


@asked("labels.infer", SECTION)
def a_label_runs_one_of_the_models_versions(server: Server) -> None:
    model, place = _labelled(server)
    found = server.infer(model, inputs_for(model), place).ok().object()
    outputs_of(found)
    version = found.get("model_version")
    assert version in model.versions, f"'model_version' is {version!r} of {model.versions}"


@asked("labels.metadata", SECTION)
def a_labels_model_is_described_and_ready(server: Server) -> None:
    model, place = _labelled(server)
    found = server.get(f"/v2/models/{model.name}{place}").ok().object()
    assert found.get("name") == model.name, f"'name' is {found.get('name')!r}"
    server.get(f"/v2/models/{model.name}{place}/ready").ok()


@asked("labels.unknown", SECTION)
def an_unknown_label_is_refused_by_an_error_object(server: Server) -> None:
    model, _ = _labelled(server)
    answer = server.infer(model, inputs_for(model), "/labels/no-such-label")
    answer.is_error()
    assert answer.status == 404, f"status {answer.status}"
