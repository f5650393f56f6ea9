"""Write golden/<training>/<case>/: images as requests, and what scikit-learn itself answers them.

    python models/digits/make_golden.py    # needs what build.txt pins

Each expected.json holds the probabilities of the classifier before it became ONNX, in double
precision. The images are none that a training has seen.
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
    """Every case's body, and whether it is a list of images, by the case's name."""
    images = load_digits().images
    pixels = images.astype(int).reshape(-1, 64).tolist()
    return {
        "64-pixels": (pixels[1600], False),
        "8-rows": (images[1550].tolist(), False),
        "images": (pixels[1500:1503], True),
        "disputed": (pixels[1757], False),  # a 1, which the first training takes for an 8
        "blank": ([0] * 64, False),
    }


def answer(classifier: Any, body: Any) -> list[dict[str, Any]]:
    """What scikit-learn says of each image, in the form of `/predict`'s answer."""
    rows = classifier.predict_proba(to_rows(body))
    return [
        {"digit": int(row.argmax()), "probabilities": [round(float(p), 9) for p in row]}
        for row in rows
    ]


def to_rows(body: Any) -> list[list[float]]:
    """A body's images, each as 64 pixels."""
    if len(body) == 8:
        return [[pixel for row in body for pixel in row]]
    return body if isinstance(body[0], list) else [body]


def main(folder: Path) -> None:
    """Write every training's cases into `folder`, over what is there."""
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
