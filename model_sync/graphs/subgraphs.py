"""The graphs within a graph: the branches of If, the bodies of Loop and Scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onnx import GraphProto, NodeProto


def subgraphs_of(node: NodeProto) -> Iterator[GraphProto]:
    """The graphs that a node holds as attributes, and not those within these."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs
