"""Rewrite a graph's weights in the order in which its nodes use them.

ONNX Runtime writes the weights of an optimized graph in the order of a hash table. A session that
is opened while its weights are still being read (inference/loading/prefetch.py) packs them node by
node. With weights in that order, the session never waits for bytes that it needs only later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import onnx

from model_sync.graphs.subgraphs import subgraphs_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from onnx import GraphProto, TensorProto

_PAGE: Final = 4096
"""Tensors of at least a page begin at a page boundary, so that each can be mapped separately."""


def order_weights(graph: Path, weights: str) -> None:
    """Rewrite the file `weights` beside a graph, and the offsets in the graph.

    A graph without weights in that file stays as it is. Raises OSError.
    """
    model = onnx.load(graph, load_external_data=False)
    tensors = [each for each in _in_order(model.graph) if _place(each, weights)]
    if not tensors:
        return
    unordered = graph.with_name(f"{weights}.unordered")
    graph.with_name(weights).rename(unordered)
    with unordered.open("rb") as source, graph.with_name(weights).open("wb") as target:
        for tensor in tensors:
            place = _place(tensor, weights)
            offset, length = int(place["offset"]), int(place["length"])
            if length >= _PAGE:
                target.seek(-target.tell() % _PAGE, 1)
            _set(tensor, "offset", target.tell())
            source.seek(offset)
            data = source.read(length)
            if len(data) < length:
                raise OSError(f"{weights} ends before the weights of {tensor.name!r}")
            target.write(data)
    unordered.unlink()
    graph.write_bytes(model.SerializeToString())


def _in_order(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield the tensors of the graph and its subgraphs, in the order in which nodes use them."""
    left = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for name in node.input:
            if name in left:
                yield left.pop(name)
        for inner in subgraphs_of(node):
            yield from _in_order(inner)
    yield from left.values()


def _place(tensor: TensorProto, weights: str) -> dict[str, str]:
    """Return a tensor's external data entry in the file `weights`; {} if it is elsewhere."""
    place = {entry.key: entry.value for entry in tensor.external_data}
    is_there = tensor.data_location == onnx.TensorProto.EXTERNAL
    return place if is_there and place.get("location") == weights else {}


def _set(tensor: TensorProto, key: str, value: int) -> None:
    for entry in tensor.external_data:
        if entry.key == key:
            entry.value = str(value)
