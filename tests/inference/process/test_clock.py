from __future__ import annotations

import time

import pytest

from inference.process.clock import Moment

THEN = Moment(wall_s=1000.0, monotonic_s=50.0)


@pytest.mark.parametrize(
    ("now", "elapsed_s"),
    [
        (Moment(1000.0, 50.0), 0.0),
        (Moment(1003.0, 53.0), 3.0),
        (Moment(1600.0, 50.5), 600.0),  # frozen: only the wall clock went on
        (Moment(1000.5, 650.0), 600.0),  # the wall clock was set back in between
        (Moment(400.0, 51.0), 1.0),
        (Moment(400.0, 50.0), 0.0),
        (Moment(400.0, 40.0), 0.0),
    ],
)
def test_what_elapsed_is_the_larger_of_both_clocks_and_never_negative(
    now: Moment, elapsed_s: float
) -> None:
    assert THEN.elapsed_s(now) == elapsed_s


def test_now_reads_both_clocks() -> None:
    before = (time.time(), time.monotonic())
    now = Moment.now()
    after = (time.time(), time.monotonic())
    assert before[0] <= now.wall_s <= after[0]
    assert before[1] <= now.monotonic_s <= after[1]
