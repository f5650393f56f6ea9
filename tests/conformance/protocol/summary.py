"""Summary of a run: the number of requirements met, not met, and not offered, per level."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .requirement import Level

if TYPE_CHECKING:
    from collections.abc import Iterable

PASSED, FAILED, NOT_OFFERED = "passed", "failed", "not offered"
OUTCOMES = (PASSED, FAILED, NOT_OFFERED)


class Result(NamedTuple):
    """Outcome of one requirement, and its reason."""

    id: str
    level: str
    section: str
    sentence: str
    outcome: str
    reason: str


def table(results: Iterable[Result]) -> list[str]:
    """Lines of a table: a row for each level."""
    results = tuple(results)
    lines = [f"{'':<10}" + "".join(f"{outcome:>13}" for outcome in OUTCOMES)]
    for level in Level:
        counts = [
            sum(each.level == level.value and each.outcome == outcome for each in results)
            for outcome in OUTCOMES
        ]
        lines.append(f"{level.value:<10}" + "".join(f"{count:>13}" for count in counts))
    return lines


def explained(results: Iterable[Result]) -> list[str]:
    """Lines for each requirement that was not met or not offered, and why."""
    lines = []
    for each in results:
        if each.outcome != PASSED:
            lines += [
                f"{each.outcome}: {each.level} {each.id}: {each.sentence}",
                f"    {each.reason}",
                f"    source: {each.section}",
            ]
    return lines
