"""The digits' own steps around their graph: pixels as JSON in, a digit and probabilities out.

An image is 64 pixels, or 8 rows of 8, each from 0 (paper) to 16 (ink). The answer to a list of
images is a list in the same order. Both functions are pure and thread-safe.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from inference.pipeline import Request

_INK = 16


def decode(request: Request) -> dict[str, NDArray[np.float32]]:
    """Turn a body into the graph's input: {"pixels": float32 of shape (images, 64)}.

    Raise ValueError, with a one-line message, if the body holds no image.
    """
    pixels = _pixels(request)
    return {"pixels": pixels.reshape(-1, 64).astype(np.float32)}


def encode(outputs: Mapping[str, NDArray[Any]], request: Request) -> Any:
    """Turn the graph's outputs into {"digit", "probabilities"}, one for each image."""
    answers = [
        {"digit": digit, "probabilities": probabilities}
        for digit, probabilities in zip(
            outputs["label"].tolist(), outputs["probabilities"].tolist(), strict=True
        )
    ]
    return answers[0] if _is_one_image(_pixels(request)) else answers


def _is_one_image(pixels: NDArray[Any]) -> bool:
    return pixels.shape in {(64,), (8, 8)}


def _pixels(request: Request) -> NDArray[Any]:
    try:
        pixels = np.array(json.loads(request.body))
    except (ValueError, RecursionError):  # not JSON, or lists of unequal lengths
        pixels = np.array(None)
    shape = pixels.shape
    if not (_is_one_image(pixels) or (shape[1:] in {(64,), (8, 8)} and shape[0])):
        raise ValueError("send JSON: 64 pixels, 8 rows of 8 pixels, or a list of such images")
    # Check before the conversion to FP32, which makes too large a number infinite.
    if pixels.dtype.kind not in "iuf" or not ((pixels >= 0) & (pixels <= _INK)).all():
        raise ValueError(f"a pixel is a number from 0 to {_INK}")
    return pixels
