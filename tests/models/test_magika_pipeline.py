"""Promises of pipeline.py other than correctness: its settings, its cost, its independence."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from inference.pipeline import Request

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def pipeline(pipeline_in_mode: Callable[[str], Any]) -> Any:
    return pipeline_in_mode("high-confidence")


def scores_of(pipeline: Any, label: str, score: float) -> dict[str, Any]:
    scores = np.zeros((1, len(pipeline._LABELS)), np.float32)
    scores[0, pipeline._LABELS.index(label)] = score
    return {"target_label": scores}


@pytest.mark.parametrize(
    ("mode", "score", "label"),
    [
        ("high-confidence", 0.95, "rst"),
        ("high-confidence", 0.8, "txt"),
        ("medium-confidence", 0.8, "rst"),
        ("medium-confidence", 0.4, "txt"),
        ("best-guess", 0.4, "rst"),
    ],
)
def test_the_mode_in_settings_decides_which_score_is_enough(
    pipeline_in_mode: Callable[[str], Any], mode: str, score: float, label: str
) -> None:
    pipeline = pipeline_in_mode(mode)
    answer = pipeline.encode(scores_of(pipeline, "rst", score), Request(b"long enough"))
    assert answer["label"] == label
    assert answer["model_label"] == "rst"
    assert answer["overwrite_reason"] == ("none" if label == "rst" else "low_confidence")


def test_an_unknown_mode_is_refused_at_import(pipeline_in_mode: Callable[[str], Any]) -> None:
    with pytest.raises(ValueError, match="prediction_mode is 'certain'; it must be 'high-conf"):
        pipeline_in_mode("certain")


def test_a_large_body_is_never_copied(pipeline: Any) -> None:
    request = Request(bytes(50_000_000))
    scores = scores_of(pipeline, "png", 1.0)
    tracemalloc.start()
    try:
        pipeline.decode(request)
        pipeline.encode(scores, request)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 40_000


def test_two_requests_share_nothing_that_can_change(pipeline: Any) -> None:
    request = Request(b"long enough")
    pipeline.decode(request)["bytes"][:] = 7
    pipeline.encode(scores_of(pipeline, "png", 1.0), request)["extensions"].clear()
    assert pipeline.decode(request)["bytes"][0, 0] == ord("l")
    assert pipeline.encode(scores_of(pipeline, "png", 1.0), request)["extensions"] == ["png"]


def test_every_answer_is_json(pipeline: Any) -> None:
    for label in pipeline._LABELS:
        answer = pipeline.encode(scores_of(pipeline, label, 1.0), Request(b"long enough"))
        assert json.loads(json.dumps(answer, allow_nan=False)) == answer
