"""Requirements of tensor data in JSON: limits of each datatype, order, nesting, shapes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from .answer import elements_of, outputs_of
from .requirement import Level, NotOfferedError, Requirement, add, must, should
from .server import json_input
from .tensors import DATATYPES, as_many, assert_same, examples, nested, shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .model import Model
    from .server import Server

DATA = "Tensor Data"


def _comes_back(
    server: Server, model: Model, shape: Sequence[int], sent: object, expected: Sequence[Any]
) -> None:
    """Send data to an identity; the same elements and shape come back."""
    (spec,) = model.inputs
    answer = server.infer(model, [json_input(spec, shape, sent)]).ok()
    (output,) = outputs_of(answer.object()).values()
    assert output["datatype"] == spec.datatype, f"datatype {output['datatype']!r}"
    assert output["shape"] == list(shape), f"shape {output['shape']}, expected {list(shape)}"
    assert_same(elements_of(output), expected, spec.datatype)


def _datatype(datatype: str, server: Server) -> None:
    model = server.identity(datatype)
    values = examples(datatype)
    shape = shape_of(model.inputs[0], len(values))
    sent = as_many(values, shape)
    _comes_back(server, model, shape, sent, sent)


for each in DATATYPES:
    # "fp16 is problematic to communicate explicitly", says "Tensor Data".
    add(
        Requirement(
            f"data.{each}",
            Level.SHOULD if each == "FP16" else Level.MUST,
            "Tensor Data Types",
            f"{each} values come back as they went, to the limits of the datatype",
            partial(_datatype, each),
        )
    )


def _matrix(server: Server) -> tuple[Model, list[int], list[float]]:
    model = server.identity(least_dynamic=2)
    shape = [1 if size == -1 else size for size in model.inputs[0].shape]
    free = [at for at, size in enumerate(model.inputs[0].shape) if size == -1]
    shape[free[-2]], shape[free[-1]] = 2, 3
    return model, shape, as_many([float(number) for number in range(1, 7)], shape)


@must("data.flat", DATA)
def data_may_be_flat_in_row_major_order(server: Server) -> None:
    model, shape, values = _matrix(server)
    _comes_back(server, model, shape, values, values)


@must("data.nested", DATA)
def data_may_nest_as_its_shape_does(server: Server) -> None:
    model, shape, values = _matrix(server)
    _comes_back(server, model, shape, nested(values, shape), values)


@must("data.integers", DATA)
def a_whole_number_is_a_float_too(server: Server) -> None:
    model, shape, values = _matrix(server)
    _comes_back(server, model, shape, [int(value) for value in values], values)


@must("data.empty", "Request Input: shape")
def a_size_may_be_zero(server: Server) -> None:
    model = server.identity(least_dynamic=1)
    spec = model.inputs[0]
    shape = shape_of(spec, 1)
    shape[spec.shape.index(-1)] = 0
    _comes_back(server, model, shape, [], [])


def _shaped(server: Server, shape: tuple[int, ...]) -> Model:
    for model in server.identities(1):
        if model.inputs[0].shape == shape and model.inputs[0].datatype == "FP32":
            return model
    raise NotOfferedError(f"an identity model of FP32 of the shape {list(shape)}")


@must("data.vector", "Request Input: shape")
def a_tensor_may_have_one_dimension(server: Server) -> None:
    _comes_back(server, _shaped(server, (-1,)), [3], [1.5, 2.5, 3.5], [1.5, 2.5, 3.5])


@must("data.scalar", "Request Input: shape")
def a_tensor_may_have_no_dimensions(server: Server) -> None:
    _comes_back(server, _shaped(server, ()), [], [1.5], [1.5])


@should("data.megabyte", "HTTP/REST")
def a_body_of_a_megabyte_is_read(server: Server) -> None:
    model = server.identity(least_dynamic=1)
    shape = shape_of(model.inputs[0], 2**17)
    values = as_many([0.5, -1234.5, 2.0], shape)
    _comes_back(server, model, shape, values, values)


def _refused(server: Server, datatype: str, value: object) -> None:
    model = server.identity(datatype)
    shape = shape_of(model.inputs[0], 1)
    server.infer(model, [json_input(model.inputs[0], shape, as_many([value], shape))]).is_error()


@must("data.wrong-kind", DATA)
def text_that_is_no_number_is_refused_as_one(server: Server) -> None:
    _refused(server, "FP32", "one")


@should("data.null", DATA)
def null_is_refused_as_a_number(server: Server) -> None:
    _refused(server, "FP32", None)


@should("data.out-of-range", DATA)
def a_number_that_its_datatype_cannot_hold_is_refused(server: Server) -> None:
    _refused(server, "INT32", 2**31)


@should("data.fraction", DATA)
def a_fraction_is_refused_as_an_integer(server: Server) -> None:
    _refused(server, "INT32", 1.5)


@should("data.ragged", DATA)
def data_that_nests_otherwise_than_its_shape_is_refused(server: Server) -> None:
    model, shape, values = _matrix(server)
    # Two rows of three elements, as rows of four and of two.
    ragged: object = [values[:4], values[4:]]
    for _ in shape[:-2]:
        ragged = [ragged]
    server.infer(model, [json_input(model.inputs[0], shape, ragged)]).is_error()
