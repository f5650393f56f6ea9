"""Models whose cold starts are measured, by name, in the order of their sizes.

Magika is a real model. The others have a real model's graph and random weights from a seed, so they
need no download. Each is one .onnx file, as most models are, written once into a folder (`write`).
Their inputs are those of a typical call: one text of 128 tokens, or one image.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from bench.cold_models.bert import BASE, LARGE, MINILM, BertSizes, write_bert
from bench.cold_models.resnet import RESNET_50, ResnetSizes, write_resnet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    Feed = dict[str, NDArray[Any]]

_TOKENS: Final = 128


class ColdModel(NamedTuple):
    """A model to measure: its title, approximate size, and inputs.

    `write_graph` is None for a model that models/<name>/ builds.
    """

    title: str
    size_bytes: int
    feed: Callable[[], Feed]
    write_graph: Callable[[Path], None] | None = None

    def write(self, folder: Path, name: str) -> Path:
        """Write the .onnx file into a folder unless it exists; return its path. Raise OSError."""
        if self.write_graph is None:
            raise ValueError(f"{self.title} is built by its own build script")
        path = folder / f"{name}.onnx"
        if not path.exists():
            self.write_graph(path)
        return path


def _bert(title: str, sizes: BertSizes) -> ColdModel:
    write = partial(write_bert, sizes=sizes)
    return ColdModel(title, sizes.weight_bytes, partial(text, sizes.words, _TOKENS), write)


def _resnet(title: str, sizes: ResnetSizes) -> ColdModel:
    write = partial(write_resnet, sizes=sizes)
    return ColdModel(title, sizes.weight_bytes, partial(image, sizes.image), write)


def text(words: int, tokens: int) -> Feed:
    """Return one text of `tokens` tokens, of which the last eighth is padding."""
    ids = np.random.default_rng(0).integers(0, words, (1, tokens))
    mask = np.ones_like(ids)
    mask[:, -(tokens // 8) :] = 0
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def image(size: int) -> Feed:
    """Return one image of three colours."""
    values = np.random.default_rng(0).standard_normal((1, 3, size, size), dtype=np.float32)
    return {"input": values}


def _file() -> Feed:
    return {"bytes": np.arange(2048, dtype=np.int32)[None] % 256}


MODELS: Final = {
    "magika": ColdModel("Magika", 3_200_000, _file),
    "minilm": _bert("MiniLM", MINILM),
    "resnet50": _resnet("ResNet-50", RESNET_50),
    "bert-base": _bert("BERT-base", BASE),
    "bert-large": _bert("BERT-large", LARGE),
}
