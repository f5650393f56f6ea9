"""Inspect an ONNX file: its signature, and the external data files that it needs.

The `onnx` package reads the staged copy, so exactly the inspected bytes are published.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

import onnx
from onnx.external_data_helper import ExternalDataInfo, uses_external_data

from model_store.errors import InvalidNameError
from model_store.names import check_relative_path
from model_sync.errors import InspectionError
from model_sync.graphs.signature import signature_of
from model_sync.graphs.subgraphs import subgraphs_of
from model_sync.store_io.disk_space import naming

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from model_store.signature import Signature

_MAX_BYTES: Final = (2 << 30) - 1
"""Maximum size of a Protocol Buffers message, which is read into memory as a whole."""


def refuse_too_large(size_bytes: int, name: str) -> None:
    """Raise InspectionError if a graph, which messages call `name`, is too large to be read."""
    if size_bytes > _MAX_BYTES:
        raise InspectionError(
            f"{name} has {size_bytes} bytes, and an ONNX file has at most {_MAX_BYTES}: "
            "export it with its weights as external data"
        )


def external_files(path: Path, name: str) -> tuple[str, ...]:
    """List the external data files that a model names, relative to its own folder, sorted.

    Raises InspectionError if the file is not an ONNX model, or names a file outside its folder.
    Messages call the file `name`.
    """
    found = set()
    for tensor in _tensors(_read(path, name)):
        if uses_external_data(tensor):
            found.add(_external_location(tensor, name))
    if path.name in found:
        raise InspectionError(f"{name} names itself as a file of external data")
    return tuple(sorted(found))


def inspect(path: Path, name: str) -> Signature:
    """Check a model that has its external data beside it, and return its signature.

    Outputs that are sequences or maps are described as the tensors that are served for them. Raises
    InspectionError if ONNX's checker refuses the model, or an input or output cannot be served.
    """
    model = _read(path, name)
    try:
        onnx.checker.check_model(str(path))
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InspectionError(f"{name} is not a valid ONNX model: {_reason(error)}") from error
    return signature_of(model.graph, name)


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
    with contextlib.suppress(OSError):  # reading the file below raises the error
        refuse_too_large(path.stat().st_size, name)
    try:
        with naming(str(path)):
            model = onnx.load_model(str(path), load_external_data=False)
    except Exception as error:
        if isinstance(error, OSError) and not isinstance(error, FileNotFoundError):
            raise  # a read error, not a property of the model
        raise InspectionError(f"{name} is not an ONNX model: {_reason(error)}") from error
    # Protocol Buffers parse almost any short file as a message without fields.
    if not model.ir_version or not model.graph.node:
        raise InspectionError(f"{name} is not an ONNX model: it holds no graph")
    return model


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of a model, including those of subgraphs and functions."""
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
        for inner in subgraphs_of(node):
            yield from _of_graph(inner)


def _reason(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
