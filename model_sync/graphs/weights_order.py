"""Writes a graph's weights down in the order in which its nodes use them.

ONNX Runtime writes the weights of an optimized graph in the order of a hash table. A session that
is opened while its weights are still on their way (inference/loading/prefetch.py) packs them node by node:
if they arrive in that order, it waits for none that it does not need next.
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
"""Tensors begin at a page's start where they take one: so they can be mapped by themselves."""


def order_weights(graph: Path, weights: str) -> None:
    """Rewrite the file `weights` beside a graph, and the graph's offsets into it.

    Raises OSError; nothing is changed of a graph that has no such weights.
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
    """The graph's own tensors and those of its inner graphs, as its nodes come to use them."""
    left = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        for name in node.input:
            if name in left:
                yield left.pop(name)
        for inner in subgraphs_of(node):
            yield from _in_order(inner)
    yield from left.values()


def _place(tensor: TensorProto, weights: str) -> dict[str, str]:
    """Where a tensor lies in the file `weights`; empty where it lies elsewhere."""
    place = {entry.key: entry.value for entry in tensor.external_data}
    is_there = tensor.data_location == onnx.TensorProto.EXTERNAL
    return place if is_there and place.get("location") == weights else {}


def _set(tensor: TensorProto, key: str, value: int) -> None:
    for entry in tensor.external_data:
        if entry.key == key:
            entry.value = str(value)
