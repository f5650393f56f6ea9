"""Phases from a worker's marks, ranges from the stand-in's trace, and the event of a run."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np
import pytest

from bench.cold_cases import infer_event
from bench.cold_runs import merged, phases_ms

if TYPE_CHECKING:
    from bench.cold_runs import Range


@pytest.mark.parametrize(
    ("reads", "ranges"),
    [
        ([], []),
        ([("a", 0, 0)], []),
        ([("a", 4, 4), ("a", 0, 4)], [("a", 0, 8)]),
        ([("a", 0, 8), ("a", 2, 2), ("a", 4, 8)], [("a", 0, 12)]),
        ([("a", 0, 4), ("a", 8, 4)], [("a", 0, 4), ("a", 8, 4)]),
        ([("b", 4, 4), ("a", 0, 4)], [("a", 0, 4), ("b", 4, 4)]),
    ],
)
def test_reads_become_ranges_that_do_not_meet(reads: list[Range], ranges: list[Range]) -> None:
    assert merged(reads) == ranges


def test_phases_of_a_plain_session_add_up_to_the_whole() -> None:
    marks = {"python": 1.01, "imports": 1.11, "session": 1.5, "answer": 1.6}
    found = phases_ms({"marks": marks}, 1.0)
    assert list(found) == ["Python starts", "imports", "session", "first answer"]
    assert found == pytest.approx(dict(zip(found, (10, 100, 390, 100), strict=True)))


def test_a_load_is_told_by_the_phases_that_it_logged() -> None:
    marks = {"python": 1.0, "imports": 1.1, "session": 1.5, "answer": 1.6}
    answer = {"marks": marks, "load_ms": 400.0, "phases_ms": {"digests": 300.0, "session": 50.0}}
    found = phases_ms(answer, 1.0)
    assert found["digests"] == pytest.approx(300)
    assert found["other of the load"] == pytest.approx(50)
    assert sum(found.values()) == pytest.approx(600)


def test_a_process_without_a_session_reads() -> None:
    marks = {"python": 1.0, "imports": 1.1, "answer": 1.6}
    assert phases_ms({"marks": marks}, 1.0)["read"] == pytest.approx(500)


def test_tensors_go_and_come_back_as_bytes() -> None:
    values = np.arange(6, dtype=np.int64).reshape(2, 3)
    event = infer_event("adder", {"x": values})
    body = base64.b64decode(event["body"])
    assert body[int(event["headers"]["inference-header-content-length"]) :] == values.tobytes()
    assert b'"binary_data_output": true' in body
