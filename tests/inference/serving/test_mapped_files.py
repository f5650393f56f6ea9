"""For how long what was loaded may be used; one row a case."""

from __future__ import annotations

import math
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.process.clock import Moment
from inference.serving.mapped_files import (
    LIMITS,
    FileLease,
    Limits,
    lease_of_set,
    may_load,
    may_run,
    seconds_left,
)
from model_store.refs import GRACE_S, State

T: Final = 1_800_000_000.0
CHECKED: Final = Moment(T, 1000.0)
DAY: Final = float(GRACE_S)
OLDEST: Final = DAY - 900 - 300


def _later(wall_s: float, monotonic_s: float | None = None) -> Moment:
    """So long after the check, by each clock."""
    return Moment(T + wall_s, 1000.0 + (wall_s if monotonic_s is None else monotonic_s))


def _standing(sweep_after_s: float | None = None, state: State | None = None) -> FileLease:
    after_s = None if sweep_after_s is None else T + sweep_after_s
    state = state or (State.AVAILABLE if sweep_after_s is None else State.RETIRED)
    return FileLease(state, after_s, CHECKED)


@pytest.mark.parametrize(
    ("standing", "now", "remaining_s", "expected"),
    [
        # In service: only the age of the check counts.
        (_standing(), _later(0), 900, True),
        (_standing(), _later(OLDEST - 1), 900, True),
        (_standing(), _later(OLDEST), 900, False),
        (_standing(), _later(OLDEST), 0, False),
        # Retired: to the end of the invocation, and the margin, before it may be swept.
        (_standing(DAY), _later(0), 900, True),
        (_standing(3600), _later(3600 - 300 - 901), 900, True),
        (_standing(3600), _later(3600 - 300 - 900), 900, False),
        (_standing(3600), _later(3600 - 300 - 11), 10, True),
        (_standing(3600), _later(3600 - 300), 0, False),
        (_standing(-10), _later(0), 0, False),
        # Both bounds hold.
        (_standing(2 * DAY), _later(OLDEST), 10, False),
        # A frozen environment: whichever clock went on.
        (_standing(), _later(0, OLDEST), 10, False),
        (_standing(), _later(OLDEST, 0), 10, False),
        (_standing(3600), _later(0, 3300), 10, False),
        (_standing(3600), _later(3300, 0), 10, False),
        (_standing(3600), _later(-5000, 3200), 10, True),
        (_standing(3600), _later(-5000, 3300), 10, False),
        # Deleted: never.
        (_standing(state=State.DELETED), _later(0), 0, False),
        (_standing(DAY, State.DELETED), _later(0), 0, False),
    ],
)  # fmt: skip
def test_mapped_files_may_be_used(
    standing: FileLease, now: Moment, remaining_s: float, *, expected: bool
) -> None:
    assert may_run([standing], now, remaining_s) is expected
    assert may_load(standing, now, remaining_s) is expected
    assert (remaining_s < seconds_left(standing, now)) is expected


@pytest.mark.parametrize("days", [0, 1, 365])
def test_anonymous_memory_has_no_bound(days: int) -> None:
    assert may_run([], _later(days * DAY), 900)


def test_everything_that_a_session_leans_on_counts() -> None:
    assert may_run([_standing(), _standing(DAY)], _later(0), 900)
    assert not may_run([_standing(), _standing(10)], _later(0), 900)
    assert not may_run([_standing(), _standing(state=State.DELETED)], _later(0), 900)


@pytest.mark.parametrize(
    ("pinned_by", "expected"),
    [
        ([], None),
        ([_standing(10)], _standing(10)),
        ([_standing(10), _standing(20)], _standing(20)),
        ([_standing(10), _standing(), _standing(20)], _standing()),
        ([_standing(state=State.DELETED), _standing(10)], _standing(10)),
        ([_standing(state=State.DELETED)], _standing(state=State.DELETED)),
    ],
)
def test_a_set_is_as_safe_as_the_best_version_that_pins_it(
    pinned_by: list[FileLease], expected: FileLease | None
) -> None:
    assert lease_of_set(pinned_by) == expected


def test_of_two_checks_the_later_says_how_safe_a_set_is() -> None:
    later = _standing()._replace(checked_at=_later(50))
    assert lease_of_set([_standing(), later]) == later


def test_limits_are_what_the_store_waits() -> None:
    assert Limits() == LIMITS
    assert LIMITS.grace_s == GRACE_S
    assert LIMITS.oldest_check_s == OLDEST


@given(
    age_s=st.floats(0, 2 * DAY),
    after_s=st.none() | st.floats(-DAY, 3 * DAY),
    remaining_s=st.floats(0, 900),
)
def test_what_may_run_ends_a_margin_before_anything_goes(
    age_s: float, after_s: float | None, remaining_s: float
) -> None:
    now = _later(age_s)
    if may_run([_standing(after_s)], now, remaining_s):
        goes_s = min(T + DAY, math.inf if after_s is None else T + after_s)
        assert now.wall_s + remaining_s + LIMITS.margin_s <= goes_s + 1e-3
