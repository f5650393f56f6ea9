"""What an ONNX file says of itself: its signature, and the external data files that it needs.

Done by the `onnx` package on the staged copy, so that what was inspected is what is published.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import onnx
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from model_store.signature import DYNAMIC, Signature, TensorSpec
from model_sync.errors import InspectionError
from model_sync.space import naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

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
_MOST_BYTES: Final = (2 << 30) - 1
"""A Protocol Buffers message holds no more; it is read into memory as a whole."""


def refuse_too_large(size_bytes: int, name: str) -> None:
    """Raise InspectionError for a graph that is larger than any that can be read; `name` is its."""
    if size_bytes > _MOST_BYTES:
        raise InspectionError(
            f"{name} has {size_bytes} bytes, and ONNX files end at {_MOST_BYTES}: "
            "export it with its weights as external data"
        )


def external_files(path: Path, name: str) -> tuple[str, ...]:
    """List the external data files that a model names, relative to its own folder, sorted.

    Raises InspectionError if the file is no ONNX model, or names a file outside its folder.
    `name` stands for the file in messages.
    """
    found = set()
    for tensor in _tensors(_read(path, name)):
        if uses_external_data(tensor):
            found.add(_external_location(tensor, name))
    if path.name in found:
        raise InspectionError(f"{name} names itself as a file of external data")
    return tuple(sorted(found))


def inspect(path: Path, name: str) -> Signature:
    """Check a model whose external data lie beside it, and return its signature.

    Raises InspectionError: ONNX's checker refuses it, or an input or output is no tensor of a
    datatype that can be served.
    """
    model = _read(path, name)
    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InspectionError(f"{name} is not a valid ONNX model: {_reason(error)}") from error
    given = {tensor.name for tensor in model.graph.initializer}
    given |= {tensor.values.name for tensor in model.graph.sparse_initializer}
    inputs = [value for value in model.graph.input if value.name not in given]
    if not model.graph.output:
        raise InspectionError(f"{name} has no output")
    return Signature(_specs(inputs, name), _specs(model.graph.output, name))


def _external_location(tensor: onnx.TensorProto, name: str) -> str:
    try:
        location = ExternalDataInfo(tensor).location
        return check_relative_path(location)
    except InvalidNameError:
        raise InspectionError(
            f"{name} names external data outside its folder: {location!r}"
        ) from None
    except ValueError as error:
        raise InspectionError(f"{name} is not a valid ONNX model: {_reason(error)}") from error


def _read(path: Path, name: str) -> onnx.ModelProto:
    with contextlib.suppress(OSError):  # told where it is read
        refuse_too_large(path.stat().st_size, name)
    try:
        with naming(str(path)):
            model = onnx.load_model(str(path), load_external_data=False)
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise  # it could not be read: that says nothing of the model
        raise InspectionError(f"{name} is not an ONNX model: {_reason(error)}") from error
    # Protocol Buffers read almost any short file as a message without fields.
    if not model.ir_version or not model.graph.node:
        raise InspectionError(f"{name} is not an ONNX model: it holds no graph")
    return model


def _specs(values: Sequence[onnx.ValueInfoProto], name: str) -> tuple[TensorSpec, ...]:
    return tuple(_spec(value, name) for value in values)


def _spec(value: onnx.ValueInfoProto, name: str) -> TensorSpec:
    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        hint = "; export a classifier without ZipMap" if kind == "sequence_type" else ""
        raise InspectionError(f"{name}: {value.name!r} is no tensor and cannot be served{hint}")
    tensor = value.type.tensor_type
    datatype = _DATATYPES.get(tensor.elem_type)
    if datatype is None:
        kinds = {number: kind for kind, number in onnx.TensorProto.DataType.items()}
        kind = kinds.get(tensor.elem_type, str(tensor.elem_type))
        raise InspectionError(f"{name}: {value.name!r} has datatype {kind}, which cannot be served")
    shape = None
    if tensor.HasField("shape"):
        shape = tuple(
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else DYNAMIC
            for dim in tensor.shape.dim
        )
    return TensorSpec(value.name, datatype, shape)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Every tensor in a model, in subgraphs and functions too."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Sequence[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            if attribute.HasField("g"):
                yield from _of_graph(attribute.g)
            for graph in attribute.graphs:
                yield from _of_graph(graph)


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
