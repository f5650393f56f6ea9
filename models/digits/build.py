"""Train the digits' classifier twice, and write both as ONNX: build/first.onnx, build/second.onnx.

Publishing runs this script with the packages that build.txt pins (scikit-learn, skl2onnx), which
need not be installed.

Its rules, in order:

1. The data is scikit-learn's own (8x8 images of digits, pixels 0 to 16), so nothing is fetched.
2. There is no randomness, and no sum is split between threads: the same machine writes the same
   bytes, however busy it is. The optimum is unique, and Newton's method reaches it to the last
   digits of a double, so that another machine's model answers the same to 1e-5.
3. The trainings see different numbers of images, so their answers differ.

Not here: the format of requests and answers (pipeline.py).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).resolve().parent
BUILD = HERE / "build"

TRAININGS = {"first": 500, "second": 1500}
"""Number of images that each training sees: the first ones of the data set's 1,797."""

OPSET = 18


def main() -> None:
    """Write both models."""
    BUILD.mkdir(exist_ok=True)
    for name, classifier in trained():
        (BUILD / f"{name}.onnx").write_bytes(as_onnx(classifier, name))


def trained() -> Iterator[tuple[str, Any]]:
    """Yield each training's name and its scikit-learn classifier, in double precision."""
    pixels, digits = load_digits(return_X_y=True)
    for name, images in TRAININGS.items():
        classifier = LogisticRegression(C=0.01, solver="newton-cholesky", tol=1e-10)
        with threadpool_limits(1):
            yield name, classifier.fit(pixels[:images], digits[:images])


def as_onnx(classifier: Any, name: str) -> bytes:
    """Return a graph from pixels, FP32 [-1, 64], to label, INT64 [-1], and probabilities.

    Probabilities are FP32 [-1, 10].
    """
    model = convert_sklearn(
        classifier,
        f"digits-{name}",
        initial_types=[("pixels", FloatTensorType([None, 64]))],
        options={"zipmap": False},
        target_opset=OPSET,
    )
    graph: bytes = model.SerializeToString(deterministic=True)
    return graph


if __name__ == "__main__":
    main()
