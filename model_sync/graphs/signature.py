"""Convert a graph's inputs and outputs to a signature with the protocol's datatypes. Pure.

Outputs that are sequences or maps are described as the tensors that are served for them
(inference/protocol/sequences.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import onnx

from inference.protocol.sequences import specs_of_map, specs_of_sequence
from model_store.signature import DYNAMIC, Signature, TensorSpec
from model_sync.errors import InspectionError

if TYPE_CHECKING:
    from collections.abc import Sequence

_DATATYPES: Final[dict[int, str]] = {
    onnx.TensorProto.BOOL: "BOOL",
    onnx.TensorProto.UINT8: "UINT8",
    onnx.TensorProto.UINT16: "UINT16",
    onnx.TensorProto.UINT32: "UINT32",
    onnx.TensorProto.UINT64: "UINT64",
    onnx.TensorProto.INT8: "INT8",
    onnx.TensorProto.INT16: "INT16",
    onnx.TensorProto.INT32: "INT32",
    onnx.TensorProto.INT64: "INT64",
    onnx.TensorProto.FLOAT16: "FP16",
    onnx.TensorProto.BFLOAT16: "BF16",
    onnx.TensorProto.FLOAT: "FP32",
    onnx.TensorProto.DOUBLE: "FP64",
    onnx.TensorProto.STRING: "BYTES",
}


def signature_of(graph: onnx.GraphProto, name: str) -> Signature:
    """Return the signature of a graph; messages call its file `name`.

    Raises InspectionError if there is no output, or an input or output cannot be served.
    """
    given = {tensor.name for tensor in graph.initializer}
    given |= {tensor.values.name for tensor in graph.sparse_initializer}
    inputs = [value for value in graph.input if value.name not in given]
    if not graph.output:
        raise InspectionError(f"{name} has no output")
    return Signature(_inputs(inputs, name), _outputs(graph.output, name))


def _inputs(values: Sequence[onnx.ValueInfoProto], name: str) -> tuple[TensorSpec, ...]:
    for value in values:
        if value.type.WhichOneof("value") != "tensor_type":
            raise InspectionError(
                f"{name}: the input {value.name!r} is no tensor and cannot be served"
            )
    return tuple(_spec(value.name, value.type.tensor_type, name) for value in values)


def _outputs(values: Sequence[onnx.ValueInfoProto], name: str) -> tuple[TensorSpec, ...]:
    specs = tuple(spec for value in values for spec in _output(value.name, value.type, name))
    names = [spec.name for spec in specs]
    for each in names:
        if names.count(each) > 1:
            raise InspectionError(
                f"{name}: {each!r} names two outputs (each key of a map is an output)"
            )
    return specs


def _output(output: str, kind: onnx.TypeProto, name: str) -> tuple[TensorSpec, ...]:
    """Return the specs of one output: one tensor, or the tensors served for a sequence or map."""
    match kind.WhichOneof("value"):
        case "tensor_type":
            return (_spec(output, kind.tensor_type, name),)
        case "map_type":
            return _map(output, kind.map_type, name, in_sequence=False)
        case "sequence_type":
            element = kind.sequence_type.elem_type
            if element.WhichOneof("value") == "map_type":
                return _map(output, element.map_type, name, in_sequence=True)
            if element.WhichOneof("value") == "tensor_type":
                return specs_of_sequence(_spec(output, element.tensor_type, name))
    raise InspectionError(
        f"{name}: the output {output!r} is no tensor, map, or sequence of them, "
        "and cannot be served"
    )


def _map(
    output: str, kind: onnx.TypeProto.Map, name: str, *, in_sequence: bool
) -> tuple[TensorSpec, ...]:
    if kind.value_type.WhichOneof("value") != "tensor_type":
        raise InspectionError(
            f"{name}: the output {output!r} is a map whose values are not tensors"
        )
    keys = _datatype(output, kind.key_type, name)
    values = _datatype(output, kind.value_type.tensor_type.elem_type, name)
    return specs_of_map(output, keys, values, in_sequence=in_sequence)


def _spec(tensor_name: str, tensor: onnx.TypeProto.Tensor, name: str) -> TensorSpec:
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else DYNAMIC
            for dim in tensor.shape.dim
        )
    return TensorSpec(tensor_name, _datatype(tensor_name, tensor.elem_type, name), shape)


def _datatype(tensor_name: str, number: int, name: str) -> str:
    datatype = _DATATYPES.get(number)
    if datatype is None:
        kinds = {number: kind for kind, number in onnx.TensorProto.DataType.items()}
        kind = kinds.get(number, str(number))
        raise InspectionError(
            f"{name}: {tensor_name!r} has datatype {kind}, which cannot be served"
        )
    return datatype
