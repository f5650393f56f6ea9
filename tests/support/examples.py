"""Numbers of examples of property tests: few by default, more in a larger profile."""

from __future__ import annotations

from typing import Final

from hypothesis import HealthCheck, settings

USUAL: Final = 100
"""Hypothesis's own number of examples; a profile with more than these multiplies all numbers."""


def examples(count: int, *suppressed: HealthCheck) -> settings:
    """Return settings for `count` examples, which are not timed.

    In a profile of n times USUAL examples, n times as many.
    """
    profile = settings.default or settings()
    many = max(count, count * profile.max_examples // USUAL)
    return settings(deadline=None, max_examples=many, suppress_health_check=suppressed)
