"""Requirements of the model configuration extension."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .requirement import extension

if TYPE_CHECKING:
    from .model import Model, Spec
    from .server import Server

SECTION = "Model Configuration Extension"

asked = partial(extension, "model_configuration")


def _agrees(config: dict[str, Any], model: Model) -> None:
    assert config.get("name") == model.name, f"'name' is {config.get('name')!r}"
    batch = config.get("max_batch_size", 0)
    assert type(batch) is int, f"'max_batch_size' is {batch!r}"
    for side, specs in (("input", model.inputs), ("output", model.outputs)):
        found = {each["name"]: each for each in config.get(side, ())}
        assert found.keys() == {spec.name for spec in specs}, f"{side}: {list(found)}"
        for spec in specs:
            _tensor_agrees(found[spec.name], spec, batched=batch > 0)


def _tensor_agrees(found: dict[str, Any], spec: Spec, *, batched: bool) -> None:
    datatype = "TYPE_STRING" if spec.datatype == "BYTES" else f"TYPE_{spec.datatype}"
    assert found.get("data_type") == datatype, f"{spec.name}: {found}, expected {datatype}"
    dims = [int(size) for size in found.get("dims", ())]
    # Where requests are batched the first dimension goes without saying.
    expected = list(spec.shape[1:] if batched else spec.shape)
    assert dims == expected, f"{spec.name}: dims {dims}, expected {expected}"


@asked("configuration", SECTION)
def a_models_configuration_agrees_with_its_metadata(server: Server) -> None:
    for model in server.models.values():
        _agrees(server.get(f"/v2/models/{model.name}/config").ok().object(), model)


@asked("configuration.version", SECTION)
def a_versions_configuration_can_be_asked_for(server: Server) -> None:
    model = server.versioned()
    for version in model.versions:
        path = f"/v2/models/{model.name}/versions/{version}/config"
        _agrees(server.get(path).ok().object(), model)


@asked("configuration.unknown", SECTION)
def the_configuration_of_an_unknown_model_is_an_error_object(server: Server) -> None:
    server.get("/v2/models/no-such-model/config").is_error()
