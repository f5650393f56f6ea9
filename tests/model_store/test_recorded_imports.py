"""A recording asks a reader for what there can be, or is damaged."""

from __future__ import annotations

import pytest

from model_store.errors import DamagedError
from model_store.recorded_imports import MOST_BLOCKS, parse_recorded


def recorded(*ranges: list[list[int]]) -> list[object]:
    return [{"path": f"f{number}", "ranges": each} for number, each in enumerate(ranges)]


def test_what_memory_can_hold_is_taken() -> None:
    half = MOST_BLOCKS // 2
    values = recorded([[0, half]], [[0, 1], [MOST_BLOCKS - half + 1, half - 1]])
    assert [each.to_json() for each in parse_recorded(values, "here")] == values


@pytest.mark.parametrize(
    ("ranges", "reason"),
    [
        ([[[0, MOST_BLOCKS + 1]]], "here: f0 has more blocks than any file"),
        ([[[1 << 60, 1]]], "here: f0 has more blocks than any file"),
        ([[[0, MOST_BLOCKS]], [[7, 1]]], "here has more blocks than any function has memory for"),
    ],
)
def test_more_is_damaged(ranges: list[list[list[int]]], reason: str) -> None:
    with pytest.raises(DamagedError, match=f"^{reason}$"):
        parse_recorded(recorded(*ranges), "here")
