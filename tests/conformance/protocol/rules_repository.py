"""Requirements of the model repository extension: the index, loading, unloading."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .requirement import extension
from .server import inputs_for

if TYPE_CHECKING:
    from .model import Model
    from .server import Server

SECTION = "Model Repository Extension"
INDEX = "/v2/repository/index"

asked = partial(extension, "model_repository")


def _entries(server: Server, body: object) -> list[dict[str, Any]]:
    entries = server.post(INDEX, body).ok().json()
    assert isinstance(entries, list), f"the index is no list: {entries!r}"
    assert all(isinstance(entry, dict) for entry in entries), "an entry is no object"
    return entries


def _verb(server: Server, model: Model, verb: str) -> None:
    server.post(f"/v2/repository/models/{model.name}/{verb}", {}).ok()


def _is_ready(server: Server, model: Model) -> bool:
    entries = _entries(server, {})
    return any(each["name"] == model.name and each.get("state") == "READY" for each in entries)


@asked("repository.index", f"{SECTION}: Index")
def the_index_lists_every_model_with_its_state_and_reason(server: Server) -> None:
    entries = _entries(server, {})
    for entry in entries:
        for key in ("name", "state", "reason"):
            assert isinstance(entry.get(key), str), f"no string at {key!r}: {entry}"
        assert isinstance(entry.get("version", ""), str), f"'version' is no string: {entry}"
    assert server.models.keys() <= {entry["name"] for entry in entries}, "a model is not listed"


@asked("repository.index.ready", f"{SECTION}: Index, ready")
def the_index_can_be_of_models_that_are_ready_alone(server: Server) -> None:
    model = server.any_model()
    _verb(server, model, "load")
    entries = _entries(server, {"ready": True})
    assert model.name in {entry["name"] for entry in entries}, f"{model.name} is not listed"
    states = {entry["name"]: entry.get("state", "READY") for entry in entries}
    assert set(states.values()) == {"READY"}, f"not ready: {states}"
    _verb(server, model, "unload")
    try:
        names = {entry["name"] for entry in _entries(server, {"ready": True})}
        assert model.name not in names, f"{model.name} is listed, and was unloaded"
    finally:
        _verb(server, model, "load")


@asked("repository.load", f"{SECTION}: Load")
def a_model_that_was_loaded_is_ready_and_answers(server: Server) -> None:
    model = server.any_model()
    _verb(server, model, "load")
    assert _is_ready(server, model), f"{model.name} is not READY in the index"
    server.infer(model, inputs_for(model)).ok()


@asked("repository.load.parameters", f"{SECTION}: Load, parameters")
def a_load_may_have_no_body(server: Server) -> None:
    model = server.any_model()
    server.send("POST", f"/v2/repository/models/{model.name}/load").ok()


@asked("repository.unload", f"{SECTION}: Unload")
def a_model_that_was_unloaded_is_not_ready_until_it_is_loaded(server: Server) -> None:
    model = server.any_model()
    _verb(server, model, "unload")
    try:
        assert not _is_ready(server, model), f"{model.name} is READY, and was unloaded"
    finally:
        _verb(server, model, "load")
    assert _is_ready(server, model), f"{model.name} is not READY, and was loaded again"


@asked("repository.load.unknown", f"{SECTION}: Load")
def loading_an_unknown_model_is_refused_by_an_error_object(server: Server) -> None:
    server.post("/v2/repository/models/no-such-model/load", {}).is_error()
