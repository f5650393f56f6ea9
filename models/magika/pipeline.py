"""Magika's own steps around its graph: bytes to tokens, scores to a file type.

The graph looks at the beginning and the end of a file, white space stripped, one token a byte.
Every number here comes from the model's configuration; the steps and their corner cases are those
of the package `magika` 1.0 (`Magika._extract_features_from_seekable` and what follows it), and the
answers are equal to its answers:

- A body with fewer than 8 bytes after leading white space does not reach the model: it is `txt` if
  it is UTF-8, else `unknown`; an empty body is `empty`. The score is then 1.0.
- A score too low for its label, in the prediction mode that settings.json chooses, turns the
  model's label into the generic `txt` or `unknown`.

The data files are read once, at import. Both functions are pure and thread-safe.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inference.pipeline import Request


def _read(name: str) -> Any:
    return json.loads((Path(__file__).parent / name).read_bytes())


_CONFIG = _read("build/config.min.json")
_CONTENT_TYPES: dict[str, dict[str, Any]] = _read("build/content_types.json")

if _CONFIG["mid_size"] or _CONFIG["use_inputs_at_offsets"]:
    raise ValueError("this pipeline takes a file's beginning and end; the model wants other parts")

_BEGINNING: int = _CONFIG["beg_size"]
_END: int = _CONFIG["end_size"]
_BLOCK: int = _CONFIG["block_size"]
_PADDING: int = _CONFIG["padding_token"]
_ENOUGH: int = _CONFIG["min_file_size_for_dl"]
_LABELS: list[str] = _CONFIG["target_labels_space"]
_OVERWRITE: dict[str, str] = _CONFIG["overwrite_map"]


def _minimum_scores(mode: str) -> list[float]:
    """Return each label's minimum score for keeping the model's label, in a prediction mode."""
    medium: float = _CONFIG["medium_confidence_threshold"]
    high: dict[str, float] = _CONFIG["thresholds"]
    if mode == "best-guess":
        return [0.0] * len(_LABELS)
    if mode == "medium-confidence":
        return [medium] * len(_LABELS)
    if mode == "high-confidence":
        return [high.get(label, medium) for label in _LABELS]
    raise ValueError(
        f"settings.json: prediction_mode is {mode!r}; "
        "it must be 'high-confidence', 'medium-confidence' or 'best-guess'"
    )


_MINIMUM_SCORES = _minimum_scores(_read("settings.json")["prediction_mode"])


def decode(request: Request) -> dict[str, NDArray[np.int32]]:
    """Turn a file's bytes into the graph's input: {"bytes": int32 of shape (1, 2048)}.

    Copies at most a block (4,096 bytes) from each end of the body, whatever the body's size.
    """
    beginning = request.body[:_BLOCK].lstrip()[:_BEGINNING]
    end = request.body[-_BLOCK:].rstrip()[-_END:]
    tokens = np.full((1, _BEGINNING + _END), _PADDING, np.int32)
    tokens[0, : len(beginning)] = np.frombuffer(beginning, np.uint8)
    tokens[0, _BEGINNING + _END - len(end) :] = np.frombuffer(end, np.uint8)
    return {"bytes": tokens}


def encode(outputs: Mapping[str, NDArray[np.float32]], request: Request) -> dict[str, Any]:
    """Turn the graph's scores, {"target_label": (1, 214)}, into the answer that README.md shows.

    `score` is the model's probability of `model_label`, not of the `label` it may have become.
    """
    alone = _label_without_model(request.body)
    if alone is not None:
        return _answer(alone, score=1.0, model_label=None, overwrite_reason="none")
    scores = outputs["target_label"][0]
    best = int(scores.argmax())
    score = float(scores[best])
    label, reason = _label_after_model(best, score)
    return _answer(label, score=score, model_label=_LABELS[best], overwrite_reason=reason)


def _label_without_model(body: bytes) -> str | None:
    """Label a body that is too small to ask the model about; None for every other."""
    if not body:
        return "empty"
    block = body[:_BLOCK]
    if len(block.lstrip()) >= _ENOUGH:
        return None
    try:
        # As in the package, only this block of a longer body is decoded: a character that the end
        # of the block cuts in two makes the body `unknown`.
        block.decode()
    except UnicodeDecodeError:
        return "unknown"
    return "txt"


def _label_after_model(best: int, score: float) -> tuple[str, str]:
    """Turn the model's best label into the answer's, and say why they differ (else "none")."""
    model_label = _LABELS[best]
    label = _OVERWRITE.get(model_label, model_label)
    if score >= _MINIMUM_SCORES[best]:
        return label, "none" if label == model_label else "overwrite_map"
    # Even where the model is unsure of the type, it has the difference of text and binary right.
    generic = "txt" if _CONTENT_TYPES[label]["is_text"] else "unknown"
    return generic, "none" if generic == model_label else "low_confidence"


def _answer(
    label: str, *, score: float, model_label: str | None, overwrite_reason: str
) -> dict[str, Any]:
    known = _CONTENT_TYPES[label]
    return {
        "label": label,
        "score": score,
        "description": known["description"],
        "mime_type": known["mime_type"],
        "group": known["group"],
        "is_text": known["is_text"],
        "extensions": [*known["extensions"]],
        "model_label": model_label,
        "overwrite_reason": overwrite_reason,
    }
