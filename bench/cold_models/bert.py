"""BERT, node by node as PyTorch's exporter writes it, with weights from a seed.

Layer normalization and GELU are decomposed, attention's shapes are computed from the input's shape,
and the mask is computed in the graph. ONNX Runtime's optimizer therefore fuses the same nodes as in
an exported BERT (listed in tests/bench/test_cold_models.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from bench.cold_models.graph import Graph

if TYPE_CHECKING:
    from pathlib import Path

_OPSET = 12
"""From opset 13 on, ONNX Runtime 1.32 does not recognize the mask, and fuses no attention."""
_MASKED = -10_000.0
_EPSILON = 1e-12


class BertSizes(NamedTuple):
    """Sizes of a BERT. Its three inputs are INT64 [batch, sequence]."""

    layers: int
    width: int
    heads: int
    words: int = 30_522
    positions: int = 512

    @property
    def weight_bytes(self) -> int:
        """Size of its weights in bytes, exact to a thousandth."""
        embeddings = (self.words + self.positions) * self.width
        layer = 12 * self.width**2 + 13 * self.width
        return 4 * (embeddings + self.layers * layer + self.width**2)


MINILM = BertSizes(layers=6, width=384, heads=12)
BASE = BertSizes(layers=12, width=768, heads=12)
LARGE = BertSizes(layers=24, width=1024, heads=16)


def write_bert(path: Path, sizes: BertSizes, seed: int = 0) -> None:
    """Write one .onnx file of a BERT of these sizes."""
    _Bert(sizes, seed).write(path)


class _Bert:
    def __init__(self, sizes: BertSizes, seed: int) -> None:
        self._sizes = sizes
        self._graph = Graph("bert", _OPSET, seed)

    def write(self, path: Path) -> None:
        graph, width = self._graph, self._sizes.width
        words, mask, types = (
            graph.input(name, "INT64", ("batch", "sequence"))
            for name in ("input_ids", "attention_mask", "token_type_ids")
        )
        masked = self._masked(mask)
        hidden = self._embeddings(words, types)
        for _ in range(self._sizes.layers):
            hidden = self._layer(hidden, masked)
        graph.output(hidden, "last_hidden_state", ("batch", "sequence", width))
        first = graph.node("Gather", hidden, graph.integers(0), axis=1)
        weight, bias = self._matrix(width, width), graph.zeros(width)
        pooled = graph.node("Tanh", graph.node("Gemm", first, weight, bias, transB=1))
        graph.output(pooled, "pooler_output", ("batch", width))
        graph.write(path)

    def _masked(self, mask: str) -> str:
        """Return the attention bias: 0 where the mask is 1, -10,000 where the mask is 0."""
        graph = self._graph
        for axis in (1, 2):
            mask = graph.node("Unsqueeze", mask, axes=(axis,))
        floats = graph.node("Cast", mask, to=1)
        hidden = graph.node("Sub", graph.float(1.0), floats)
        return graph.node("Mul", hidden, graph.float(_MASKED))

    def _embeddings(self, words: str, types: str) -> str:
        graph, sizes = self._graph, self._sizes
        length = self._unsqueezed(self._dimension(words, 1))
        every = graph.weight(np.arange(sizes.positions, dtype=np.int64)[None])
        start, axis, step = (graph.integers([value]) for value in (0, 1, 1))
        positions = graph.node("Slice", every, start, length, axis, step)
        word, kind, place = (
            graph.node("Gather", self._matrix(count, sizes.width), index)
            for count, index in (
                (sizes.words, words),
                (2, types),
                (sizes.positions, positions),
            )
        )
        return self._normalized(graph.node("Add", graph.node("Add", word, kind), place))

    def _layer(self, hidden: str, masked: str) -> str:
        graph, width = self._graph, self._sizes.width
        attended = self._dense(self._attention(hidden, masked), width, width)
        hidden = self._normalized(graph.node("Add", attended, hidden))
        wide = self._gelu(self._dense(hidden, width, 4 * width))
        narrow = self._dense(wide, 4 * width, width)
        return self._normalized(graph.node("Add", narrow, hidden))

    def _attention(self, hidden: str, masked: str) -> str:
        graph, width = self._graph, self._sizes.width
        size = width // self._sizes.heads
        query, key, value = (self._dense(hidden, width, width) for _ in range(3))
        key = self._by_head(key, (0, 2, 3, 1))
        value = self._by_head(value, (0, 2, 1, 3))
        query = self._by_head(query, (0, 2, 1, 3))
        scores = graph.node("MatMul", query, key)
        scores = graph.node("Div", scores, graph.float(size**0.5))
        weights = graph.node("Softmax", graph.node("Add", scores, masked), axis=3)
        mixed = graph.node("Transpose", graph.node("MatMul", weights, value), perm=(0, 2, 1, 3))
        return graph.node("Reshape", mixed, self._shape(mixed, width))

    def _by_head(self, value: str, order: tuple[int, ...]) -> str:
        heads = self._sizes.heads
        shape = self._shape(value, heads, self._sizes.width // heads)
        return self._graph.node("Transpose", self._graph.node("Reshape", value, shape), perm=order)

    def _shape(self, value: str, *rest: int) -> str:
        """Return a shape computed in the graph: batch and sequence of a value, then `rest`."""
        graph = self._graph
        caller = [self._unsqueezed(self._dimension(value, axis)) for axis in (0, 1)]
        return graph.node("Concat", *caller, *(graph.integers([size]) for size in rest), axis=0)

    def _dimension(self, value: str, axis: int) -> str:
        graph = self._graph
        return graph.node("Gather", graph.node("Shape", value), graph.integers(axis), axis=0)

    def _unsqueezed(self, value: str) -> str:
        return self._graph.node("Unsqueeze", value, axes=(0,))

    def _dense(self, value: str, inputs: int, outputs: int) -> str:
        product = self._graph.node("MatMul", value, self._matrix(inputs, outputs))
        return self._graph.node("Add", product, self._graph.zeros(outputs))

    def _matrix(self, rows: int, columns: int) -> str:
        return self._graph.random((rows, columns), 0.02)

    def _normalized(self, value: str) -> str:
        graph, width = self._graph, self._sizes.width
        centred = graph.node("Sub", value, graph.node("ReduceMean", value, axes=(-1,)))
        square = graph.node("Pow", centred, graph.float(2.0))
        variance = graph.node("ReduceMean", square, axes=(-1,))
        deviation = graph.node("Sqrt", graph.node("Add", variance, graph.float(_EPSILON)))
        scaled = graph.node("Mul", graph.node("Div", centred, deviation), graph.ones(width))
        return graph.node("Add", scaled, graph.zeros(width))

    def _gelu(self, value: str) -> str:
        graph = self._graph
        error = graph.node("Erf", graph.node("Div", value, graph.float(2.0**0.5)))
        product = graph.node("Mul", value, graph.node("Add", error, graph.float(1.0)))
        return graph.node("Mul", product, graph.float(0.5))
