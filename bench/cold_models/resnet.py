"""ResNet-50, node by node as PyTorch's exporter writes it, with weights from a seed.

Batch normalization is folded into the convolutions, as the exporter does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bench.cold_models.graph import Graph

if TYPE_CHECKING:
    from pathlib import Path

_OPSET = 14
_BRANCH = 0.3
"""Scale of a block's contribution to its input; it keeps values near 1 over 16 blocks."""


class ResnetSizes(NamedTuple):
    """Sizes of a ResNet. Its input is FP32 [batch, 3, image, image]."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    classes: int = 1000
    image: int = 224

    @property
    def weight_bytes(self) -> int:
        """Size of its weights in bytes, exact to about a hundredth."""
        total, inputs = 147 * self.width, self.width
        for stage, blocks in enumerate(self.blocks):
            narrow = self.width << stage
            total += inputs * 4 * narrow
            for _ in range(blocks):
                total += inputs * narrow + 9 * narrow**2 + 4 * narrow**2
                inputs = 4 * narrow
        return 4 * (total + inputs * self.classes)


RESNET_50 = ResnetSizes()


def write_resnet(path: Path, sizes: ResnetSizes, seed: int = 0) -> None:
    """Write one .onnx file of a ResNet of bottleneck blocks."""
    _Resnet(sizes, seed).write(path)


class _Resnet:
    def __init__(self, sizes: ResnetSizes, seed: int) -> None:
        self._sizes = sizes
        self._graph = Graph("resnet", _OPSET, seed)

    def write(self, path: Path) -> None:
        graph, sizes = self._graph, self._sizes
        value = graph.input("input", "FP32", ("batch", 3, sizes.image, sizes.image))
        value = self._activated(self._convolved(value, 3, sizes.width, kernel=7, stride=2))
        value = graph.node("MaxPool", value, kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2))
        channels = sizes.width
        for stage, blocks in enumerate(sizes.blocks):
            narrow = sizes.width << stage
            for block in range(blocks):
                stride = 2 if stage and not block else 1
                value = self._block(value, channels, narrow, stride)
                channels = 4 * narrow
        pooled = graph.node("Flatten", graph.node("GlobalAveragePool", value), axis=1)
        weight = graph.random((sizes.classes, channels), channels**-0.5)
        logits = graph.node("Gemm", pooled, weight, graph.zeros(sizes.classes), transB=1)
        graph.output(logits, "output", ("batch", sizes.classes))
        graph.write(path)

    def _block(self, value: str, channels: int, narrow: int, stride: int) -> str:
        inner = self._activated(self._convolved(value, channels, narrow))
        inner = self._activated(self._convolved(inner, narrow, narrow, kernel=3, stride=stride))
        inner = self._convolved(inner, narrow, 4 * narrow, gain=_BRANCH)
        if stride != 1 or channels != 4 * narrow:
            value = self._convolved(value, channels, 4 * narrow, stride=stride)
        return self._activated(self._graph.node("Add", inner, value))

    def _convolved(
        self,
        value: str,
        inputs: int,
        outputs: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        gain: float = 1.0,
    ) -> str:
        scale = gain * (2 / (inputs * kernel**2)) ** 0.5
        return self._graph.node(
            "Conv",
            value,
            self._graph.random((outputs, inputs, kernel, kernel), scale),
            self._graph.zeros(outputs),
            kernel_shape=(kernel, kernel),
            pads=(kernel // 2,) * 4,
            strides=(stride, stride),
        )

    def _activated(self, value: str) -> str:
        return self._graph.node("Relu", value)
