"""Write golden/<training>/<case>/: images as requests, and scikit-learn's own answers.

    python models/digits/make_golden.py    # needs what build.txt pins

Each expected.json holds the probabilities of the classifier before it became ONNX, in double
precision. No training has seen the images.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

from sklearn.datasets import load_digits

HERE = Path(__file__).resolve().parent


def requests() -> dict[str, tuple[Any, bool]]:
    """Return each case's body and a flag, by the case's name; True: a list of images."""
    images = load_digits().images
    pixels = images.astype(int).reshape(-1, 64).tolist()
    return {
        "64-pixels": (pixels[1600], False),
        "8-rows": (images[1550].tolist(), False),
        "images": (pixels[1500:1503], True),
        "disputed": (pixels[1757], False),  # a 1 that the first training classifies as an 8
        "blank": ([0] * 64, False),
    }


def answer(classifier: Any, body: Any) -> list[dict[str, Any]]:
    """Return scikit-learn's prediction for each image, in the format of `/predict`."""
    rows = classifier.predict_proba(to_rows(body))
    return [
        {"digit": int(row.argmax()), "probabilities": [round(float(p), 9) for p in row]}
        for row in rows
    ]


def to_rows(body: Any) -> list[list[float]]:
    """Return a body's images, each as 64 pixels."""
    if len(body) == 8:
        return [[pixel for row in body for pixel in row]]
    return body if isinstance(body[0], list) else [body]


def main(folder: Path) -> None:
    """Write every training's cases into `folder`, replacing files there."""
    for training, classifier in runpy.run_path(str(HERE / "build.py"))["trained"]():
        for name, (body, is_list) in requests().items():
            answers = answer(classifier, body)
            case = folder / training / name
            case.mkdir(parents=True, exist_ok=True)
            for file, value in (
                ("request.json", body),
                ("expected.json", answers if is_list else answers[0]),
            ):
                (case / file).write_text(json.dumps(value) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "golden")
