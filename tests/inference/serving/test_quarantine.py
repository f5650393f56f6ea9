from __future__ import annotations

import pytest

from inference.process.clock import Moment
from inference.serving.quarantine import (
    LONGEST_RETRY_S,
    RETRY_BROKEN_S,
    RETRY_PASSING_S,
    Failure,
    Fault,
    is_quarantined,
    retry_after_s,
)


def quarantined(
    fault: Fault, after_s: float, *, refs_changed: bool, something_answers: bool, tries: int = 1
) -> bool:
    failure = Failure(2, fault, "why", Moment(1000.0, 50.0), 7, tries)
    now = Moment(1000.0 + after_s, 50.0 + after_s)
    generation = 8 if refs_changed else 7
    return is_quarantined(failure, generation, now, something_answers=something_answers)


@pytest.mark.parametrize("refs_changed", [False, True])
@pytest.mark.parametrize("something_answers", [False, True])
def test_a_passing_fault_is_tried_again_soon(refs_changed: bool, something_answers: bool) -> None:
    for after_s, expected in ((RETRY_PASSING_S - 0.1, True), (RETRY_PASSING_S + 0.1, False)):
        assert expected == quarantined(
            Fault.PASSING, after_s, refs_changed=refs_changed, something_answers=something_answers
        )


@pytest.mark.parametrize(
    ("fault", "refs_changed", "something_answers", "soon", "late"),
    [
        (Fault.CONTENTS, False, True, True, True),
        (Fault.CONTENTS, False, False, True, False),
        (Fault.CONTENTS, True, True, True, False),
        (Fault.CONTENTS, True, False, True, False),
        (Fault.MEMORY, False, True, True, True),
        (Fault.MEMORY, False, False, True, True),
        (Fault.MEMORY, True, False, True, False),
    ],
)
def test_broken_contents_wait_for_refs_or_for_their_time(
    fault: Fault, refs_changed: bool, something_answers: bool, soon: bool, late: bool
) -> None:
    for after_s, expected in ((RETRY_BROKEN_S - 0.1, soon), (RETRY_BROKEN_S + 0.1, late)):
        assert expected == quarantined(
            fault, after_s, refs_changed=refs_changed, something_answers=something_answers
        )


def test_each_failure_doubles_the_wait_up_to_a_limit() -> None:
    waits = [retry_after_s(tries) for tries in range(1, 8)]
    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0]
    assert retry_after_s(10**6) == LONGEST_RETRY_S


def test_the_wait_counts_by_the_clock_that_went_further() -> None:
    failure = Failure(2, Fault.CONTENTS, "why", Moment(1000.0, 50.0), 7)
    for now in (Moment(1031.0, 50.0), Moment(0.0, 81.0)):
        assert not is_quarantined(failure, 7, now, something_answers=False)
