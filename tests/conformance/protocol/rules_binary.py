"""Requirements of the binary tensor extension, for requests and answers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .answer import JSON_LENGTH, elements_of, outputs_of
from .requirement import Level, NotOfferedError, Requirement, add, extension
from .server import binary_input, infer_path, json_input
from .tensors import FLOATS, KNOWN, as_many, assert_same, examples, shape_of, to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .answer import Answer
    from .model import Model, Spec
    from .server import Server

OFFERED = "binary_tensor_data"
SECTION = "Binary Tensor Data Extension"
ALL_BINARY = {"binary_data_output": True}

asked = partial(extension, OFFERED)


def _tails(answer: Answer) -> dict[str, bytes]:
    """The bytes of each binary output, by name; JSON outputs are not among them."""
    document, left = answer.ok().split()
    found: dict[str, bytes] = {}
    for name, output in outputs_of(document).items():
        size = (output.get("parameters") or {}).get("binary_data_size")
        if size is None:
            elements_of(output)
            continue
        assert "data" not in output, f"{name!r} has both bytes and 'data'"
        assert type(size) is int, f"binary_data_size of {name!r} is {size!r}"
        assert 0 <= size <= len(left), f"{name!r}: {size} bytes, and {len(left)} are left"
        found[name], left = left[:size], left[size:]
    assert not left, f"{len(left)} bytes belong to no output"
    return found


def _are(found: object, expected: object) -> None:
    assert found == expected, f"{str(found)[:200]}, expected {str(expected)[:200]}"


def _sent(spec: Spec, values: Sequence[Any]) -> tuple[dict[str, Any], bytes, list[Any]]:
    shape = shape_of(spec, len(values))
    all_values = as_many(values, shape)
    data = to_bytes(all_values, spec.datatype)
    return binary_input(spec, shape, len(data)), data, all_values


def _there_and_back(datatype: str, server: Server) -> None:
    model = server.identity(datatype)
    values = examples(datatype)
    if datatype in FLOATS:
        values = [*values, float("inf"), float("-inf"), float("nan"), -0.0]
    item, data, _ = _sent(model.inputs[0], values)
    answer = server.infer_binary(model, [item], data, parameters=ALL_BINARY)
    _are(list(_tails(answer).values()), [data])


for each in KNOWN:
    add(
        Requirement(
            f"binary.{each}",
            Level.EXTENSION,
            SECTION,
            f"{each} values come back as bytes as they went as bytes",
            partial(_there_and_back, each),
            OFFERED,
        )
    )


@asked("binary.in", f"{SECTION}: binary_data_size")
def an_input_may_be_bytes_and_the_output_json(server: Server) -> None:
    model = server.identity()
    item, data, values = _sent(model.inputs[0], examples("FP32"))
    answer = server.infer_binary(model, [item], data).ok()
    assert JSON_LENGTH not in answer.headers, "bytes were not asked for"
    (output,) = outputs_of(answer.object()).values()
    assert_same(elements_of(output), values, "FP32")


def _asked_as_bytes(server: Server) -> tuple[Answer, bytes]:
    model = server.identity()
    (spec,) = model.inputs
    shape = shape_of(spec, 6)
    values = as_many(examples("FP32"), shape)
    wanted = [{"name": model.outputs[0].name, "parameters": {"binary_data": True}}]
    answer = server.infer(model, [json_input(spec, shape, values)], outputs=wanted)
    return answer.ok(), to_bytes(values, "FP32")


@asked("binary.out", f"{SECTION}: binary_data")
def an_output_may_be_asked_for_as_bytes(server: Server) -> None:
    answer, data = _asked_as_bytes(server)
    _are(list(_tails(answer).values()), [data])


@asked("binary.out.content-length", f"{SECTION}: headers")
def content_length_counts_the_json_and_the_bytes(server: Server) -> None:
    answer, _ = _asked_as_bytes(server)
    found = answer.headers.get("content-length")
    assert found == str(len(answer.body)), f"Content-Length {found}, of {len(answer.body)} bytes"


@asked("binary.out.content-type", f"{SECTION}: examples")
def an_answer_with_bytes_is_said_to_be_an_octet_stream(server: Server) -> None:
    found = _asked_as_bytes(server)[0].headers.get("content-type")
    assert found == "application/octet-stream", f"Content-Type is {found!r}"


@asked("binary.id", f"{SECTION}: binary_data_output")
def an_answer_with_bytes_has_the_id_too(server: Server) -> None:
    model = server.identity()
    item, data, _ = _sent(model.inputs[0], [1.0])
    answer = server.infer_binary(model, [item], data, id="42", parameters=ALL_BINARY)
    found = answer.ok().split()[0].get("id")
    assert found == "42", f"'id' is {found!r}"


def _two(server: Server) -> tuple[Model, list[dict[str, Any]], list[bytes]]:
    """Binary inputs of a model that has two, and their bytes, which differ."""
    model = server.pair()
    sent = [_sent(spec, [1.0 + number] * 4) for number, spec in enumerate(model.inputs)]
    return model, [item for item, _, _ in sent], [data for _, data, _ in sent]


@asked("binary.order", f"{SECTION}: order of the tensors")
def bytes_follow_in_the_order_of_the_request_not_the_models(server: Server) -> None:
    model, items, datas = _two(server)
    answer = server.infer_binary(model, items[::-1], b"".join(datas[::-1]), parameters=ALL_BINARY)
    found = _tails(answer)
    for spec, data in zip(model.outputs, datas, strict=True):
        _are((spec.name, found.get(spec.name)), (spec.name, data))


@asked("binary.mixed-inputs", SECTION)
def inputs_as_bytes_and_as_json_may_be_mixed(server: Server) -> None:
    model, items, datas = _two(server)
    shape = items[0]["shape"]
    items[0] = json_input(model.inputs[0], shape, as_many([1.0], shape))
    found = _tails(server.infer_binary(model, items, datas[1], parameters=ALL_BINARY))
    _are([found.get(spec.name) for spec in model.outputs], datas)


@asked("binary.mixed-outputs", f"{SECTION}: binary_data")
def outputs_as_bytes_and_as_json_may_be_mixed(server: Server) -> None:
    model, items, datas = _two(server)
    wanted = [
        {"name": spec.name, "parameters": {"binary_data": number == 1}}
        for number, spec in enumerate(model.outputs)
    ]
    answer = server.infer_binary(model, items, b"".join(datas), outputs=wanted)
    _are(_tails(answer), {model.outputs[1].name: datas[1]})
    as_json = outputs_of(answer.split()[0])[model.outputs[0].name]
    assert_same(elements_of(as_json), [1.0] * (len(datas[0]) // 4), "FP32")


@asked("binary.overridden", f"{SECTION}: binary_data_output")
def one_output_may_be_excepted_from_the_requests_default(server: Server) -> None:
    model, items, datas = _two(server)
    wanted: list[dict[str, Any]] = [{"name": spec.name} for spec in model.outputs]
    wanted[0]["parameters"] = {"binary_data": False}
    more: dict[str, Any] = {"outputs": wanted, "parameters": ALL_BINARY}
    found = _tails(server.infer_binary(model, items, b"".join(datas), **more))
    _are(found, {model.outputs[1].name: datas[1]})


@asked("binary.empty", f"{SECTION}: binary_data_size")
def a_tensor_without_elements_has_no_bytes(server: Server) -> None:
    model = server.identity(least_dynamic=1)
    (spec,) = model.inputs
    shape = shape_of(spec, 1)
    shape[spec.shape.index(-1)] = 0
    answer = server.infer_binary(model, [binary_input(spec, shape, 0)], b"", parameters=ALL_BINARY)
    _are(list(_tails(answer).values()), [b""])


@asked("binary.raw", f"{SECTION}: Raw Binary Request")
def a_body_without_json_is_the_one_input(server: Server) -> None:
    found = [each for each in server.identities(1) if each.inputs[0].shape == (-1,)]
    model = next((each for each in found if each.inputs[0].datatype == "FP32"), None)
    if model is None:
        raise NotOfferedError("an identity model of FP32 of the shape [-1]")
    data = to_bytes(examples("FP32"), "FP32")
    sent = {"Content-Type": "application/octet-stream", JSON_LENGTH: "0"}
    answer = server.post(infer_path(model), data, sent)
    _are(list(_tails(answer).values()), [data])


@asked("binary.not-finite", "HTTP/REST")
def an_answer_in_json_is_json_even_of_what_json_has_no_form_for(server: Server) -> None:
    model = server.identity()
    item, data, _ = _sent(model.inputs[0], [float("nan"), float("inf"), 1.0])
    answer = server.infer_binary(model, [item], data)
    if answer.status == 200:
        answer.object()
    else:
        answer.is_error()
