"""Requirements of models' metadata and readiness, with and without a version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .model import read_model
from .requirement import must, should
from .tensors import KNOWN

if TYPE_CHECKING:
    from .server import Server

NO_MODEL = "/v2/models/no-such-model"
NO_VERSION = "versions/999999"


@must("model.metadata", "Model Metadata Response JSON Object")
def every_model_says_its_name_platform_inputs_and_outputs(server: Server) -> None:
    for name, known in server.models.items():
        document = server.get(f"/v2/models/{name}").ok().object()
        assert isinstance(document.get("platform"), str), f"{name}: no string at 'platform'"
        found = read_model(document, name, identity=known.identity)
        assert found.outputs, f"{name} has no outputs"


@must("model.metadata.datatypes", "Tensor Data Types")
def every_tensor_has_a_datatype_of_the_table(server: Server) -> None:
    for name in server.models:
        document = server.get(f"/v2/models/{name}").ok().object()
        for tensor in (*document.get("inputs", ()), *document.get("outputs", ())):
            # BF16 is Triton's addition to the table.
            assert tensor.get("datatype") in KNOWN, f"{name}: {tensor}"


@must("model.metadata.shapes", "Model Metadata Response JSON Object: shape")
def every_size_is_a_number_or_minus_one(server: Server) -> None:
    for name in server.models:
        document = server.get(f"/v2/models/{name}").ok().object()
        for tensor in (*document.get("inputs", ()), *document.get("outputs", ())):
            shape = tensor.get("shape")
            assert isinstance(shape, list), f"{name}: no list at 'shape': {tensor}"
            assert all(type(size) is int and size >= -1 for size in shape), f"{name}: {tensor}"


@must("model.metadata.versions", "Model Metadata Response JSON Object: versions")
def every_version_that_is_listed_is_described_at_its_address(server: Server) -> None:
    model = server.versioned()
    for version in model.versions:
        document = server.get(f"/v2/models/{model.name}/versions/{version}").ok().object()
        found = read_model(document, model.name, identity=model.identity)
        assert found.inputs, f"version {version} of {model.name} has no inputs"


@must("model.metadata.unknown", "Model Metadata Response JSON Error Object")
def the_metadata_of_an_unknown_model_is_an_error_object(server: Server) -> None:
    server.get(NO_MODEL).is_error()


@must("model.metadata.unknown-version", "Model Metadata Response JSON Error Object")
def the_metadata_of_an_unknown_version_is_an_error_object(server: Server) -> None:
    server.get(f"/v2/models/{server.any_model().name}/{NO_VERSION}").is_error()


@should("model.metadata.unknown.status", "Model Metadata Response JSON Error Object")
def an_unknown_model_and_an_unknown_version_are_not_found(server: Server) -> None:
    for path in (NO_MODEL, f"/v2/models/{server.any_model().name}/{NO_VERSION}"):
        found = server.get(path)
        assert found.status == 404, f"{path}: status {found.status}"


@must("model.ready", "Model Ready")
def a_model_that_can_answer_is_ready(server: Server) -> None:
    server.get(f"/v2/models/{server.any_model().name}/ready").ok()


@should("model.ready.body", "Model Ready Response JSON Object")
def a_models_readiness_is_also_told_as_json_with_its_name(server: Server) -> None:
    name = server.any_model().name
    found = server.get(f"/v2/models/{name}/ready").ok().object()
    assert found.get("name") == name, f"'name' is {found.get('name')!r}"
    assert found.get("ready") is True, f"'ready' is {found.get('ready')!r}"


@must("model.ready.version", "Model Ready")
def every_version_that_is_listed_is_ready(server: Server) -> None:
    model = server.versioned()
    for version in model.versions:
        server.get(f"/v2/models/{model.name}/versions/{version}/ready").ok()


@must("model.ready.unknown", "Model Ready")
def an_unknown_model_and_an_unknown_version_are_not_ready(server: Server) -> None:
    for path in (NO_MODEL, f"/v2/models/{server.any_model().name}/{NO_VERSION}"):
        found = server.get(f"{path}/ready")
        assert found.status >= 400, f"{path}: status {found.status}"
