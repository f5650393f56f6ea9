"""Requirements of an inference: the response's members, ids, versions, and outputs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .answer import elements_of, outputs_of
from .requirement import NotOfferedError, must, should
from .server import infer_path, inputs_for, json_input
from .tensors import as_many, assert_same, shape_of

if TYPE_CHECKING:
    from .server import Server

RESPONSE = "Inference Response JSON Object"
REQUEST = "Inference Request JSON Object"
AWKWARD_ID = 'h\u00e9llo "\\/ \u4e16\u754c \U0001d11e ' + "x" * 200


@must("infer.response", RESPONSE)
def a_response_has_the_models_name_and_outputs_with_data(server: Server) -> None:
    model = server.any_model()
    found = server.infer(model, inputs_for(model)).ok().object()
    assert found.get("model_name") == model.name, f"'model_name' is {found.get('model_name')!r}"
    for output in outputs_of(found).values():
        elements_of(output)


@must("infer.response.as-described", "Response Output")
def outputs_are_as_the_metadata_describes_them(server: Server) -> None:
    model = server.any_model()
    found = outputs_of(server.infer(model, inputs_for(model)).ok().object())
    assert found.keys() == {spec.name for spec in model.outputs}, f"outputs {list(found)}"
    for spec in model.outputs:
        datatype, shape = found[spec.name]["datatype"], found[spec.name]["shape"]
        assert datatype == spec.datatype, f"{spec.name}: {datatype}, expected {spec.datatype}"
        assert len(shape) == len(spec.shape), f"{spec.name}: {shape}, expected {spec.shape}"
        for size, described in zip(shape, spec.shape, strict=True):
            assert described in {-1, size}, f"{spec.name}: {shape}, expected {spec.shape}"


@should("infer.response.content-type", "Inference Request Examples")
def a_response_is_said_to_be_json(server: Server) -> None:
    model = server.any_model()
    server.infer(model, inputs_for(model)).ok().is_json()


@must("infer.response.without-id", RESPONSE)
def without_an_id_in_the_request_the_response_has_none_or_a_string(server: Server) -> None:
    model = server.any_model()
    found = server.infer(model, inputs_for(model)).ok().object()
    assert isinstance(found.get("id", ""), str), f"'id' is {found['id']!r}"


@must("infer.id", f"{REQUEST}: id")
def the_id_of_a_request_comes_back(server: Server) -> None:
    model = server.any_model()
    found = server.infer(model, inputs_for(model), id="42").ok().object()
    assert found.get("id") == "42", f"'id' is {found.get('id')!r}"


@must("infer.id.any-string", f"{REQUEST}: id")
def an_id_may_be_any_string(server: Server) -> None:
    model = server.any_model()
    found = server.infer(model, inputs_for(model), id=AWKWARD_ID).ok().object()
    assert found.get("id") == AWKWARD_ID, f"'id' is {found.get('id')!r}"


@must("infer.version", f"{RESPONSE}: model_version")
def a_version_that_is_asked_for_is_the_one_that_answers(server: Server) -> None:
    model = server.versioned()
    for version in model.versions:
        answer = server.infer(model, inputs_for(model), f"/versions/{version}").ok()
        found = answer.object().get("model_version")
        assert found == version, f"'model_version' is {found!r}, expected {version!r}"


@must("infer.version.any", f"{RESPONSE}: model_version")
def a_response_says_its_version_if_at_all_as_a_listed_string(server: Server) -> None:
    model = server.any_model()
    found = server.infer(model, inputs_for(model)).ok().object().get("model_version")
    if found is None:
        assert not model.versions, f"no 'model_version', and versions {model.versions}"
    else:
        assert found in model.versions, f"'model_version' is {found!r} of {model.versions}"


@must("infer.outputs.all", f"{REQUEST}: outputs")
def without_named_outputs_all_come(server: Server) -> None:
    model = server.pair()
    found = outputs_of(server.infer(model, inputs_for(model)).ok().object())
    assert found.keys() == {spec.name for spec in model.outputs}, f"outputs {list(found)}"


@must("infer.outputs.named", "Request Output")
def only_the_outputs_that_are_named_come(server: Server) -> None:
    model = server.pair()
    for spec in model.outputs:
        answer = server.infer(model, inputs_for(model), outputs=[{"name": spec.name}])
        found = outputs_of(answer.ok().object())
        assert list(found) == [spec.name], f"outputs {list(found)}, expected {spec.name!r} alone"


@must("infer.inputs.by-name", "Request Input: name")
def inputs_are_told_apart_by_their_names_not_their_order(server: Server) -> None:
    model = server.pair()
    inputs = [
        json_input(spec, shape, as_many([float(number)], shape))
        for number, spec in enumerate(model.inputs)
        for shape in [shape_of(spec, 4)]
    ]
    found = outputs_of(server.infer(model, list(reversed(inputs))).ok().object())
    for number, spec in enumerate(model.outputs):
        values = elements_of(found[spec.name])
        assert_same(values, [float(number)] * len(values), spec.datatype)


@must("infer.repeated", "Inference")
def the_same_request_gets_the_same_answer(server: Server) -> None:
    model = server.identity()
    first, second = (
        outputs_of(server.infer(model, inputs_for(model), id="1").ok().object()) for _ in range(2)
    )
    assert first == second, f"{first} and then {second}"


@must("infer.concurrent", f"{REQUEST}: id")
def concurrent_requests_get_their_own_answers(server: Server) -> None:
    model = server.identity()
    (spec,) = model.inputs
    shape = shape_of(spec, 64)

    def call(number: int) -> None:
        values = as_many([float(number)], shape)
        answer = server.infer(model, [json_input(spec, shape, values)], id=str(number))
        found = answer.ok().object()
        assert found.get("id") == str(number), f"'id' is {found.get('id')!r}, expected {number}"
        (output,) = outputs_of(found).values()
        assert_same(elements_of(output), values, spec.datatype)

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, number) for number in range(48)]
    for each in calls:  # all were made, whatever came of the first
        each.result()


@should("infer.no-content-type", "Inference")
def a_request_without_a_content_type_is_read_as_json(server: Server) -> None:
    # Triton's own client sends none.
    model = server.any_model()
    body = json.dumps({"inputs": inputs_for(model)}).encode()
    server.send("POST", infer_path(model), body).ok()


def _with_parameters(server: Server, parameters: dict[str, object]) -> None:
    model = server.any_model()
    inputs = [each | {"parameters": parameters} for each in inputs_for(model)]
    outputs = [{"name": spec.name, "parameters": parameters} for spec in model.outputs]
    if not outputs:
        raise NotOfferedError("a model with an output")
    answer = server.infer(model, inputs, outputs=outputs, parameters=parameters).ok()
    assert outputs_of(answer.object()).keys() == {spec.name for spec in model.outputs}


@should("infer.parameters.unknown", "Parameters")
def parameters_that_mean_nothing_here_are_ignored(server: Server) -> None:
    _with_parameters(server, {"no_such_text": "x", "no_such_number": 1.5, "no_such_flag": True})


@should("infer.parameters.reserved", "Parameters Extension: reserved names")
def parameters_that_are_reserved_do_no_harm(server: Server) -> None:
    reserved = {"sequence_id": 0, "sequence_start": False, "sequence_end": False, "priority": 0}
    _with_parameters(server, {**reserved, "timeout": 60_000_000, "triton_no_such": "x"})
