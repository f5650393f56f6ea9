from __future__ import annotations

import pytest

from inference.loading.memory_need import RESERVED_BYTES, Need, budget_bytes, need_of

MB = 1 << 20


@pytest.mark.parametrize(
    ("budget_mb", "function_mb", "base", "expected"),
    [
        (None, None, 100 * MB, None),
        (300, None, 100 * MB, 300 * MB),
        (300, 1024, 100 * MB, 300 * MB),
        (None, 1024, 100 * MB, 924 * MB - RESERVED_BYTES),
        (None, 128, 200 * MB, 0),
    ],
)
def test_the_budget_is_the_setting_or_what_the_function_has_left(
    budget_mb: int | None, function_mb: int | None, base: int, expected: int | None
) -> None:
    found = budget_bytes(budget_mb=budget_mb, function_mb=function_mb, base_bytes=base)
    assert found == expected


def test_what_nobody_measured_is_estimated_from_its_size() -> None:
    assert need_of(None, 100) == Need(300, 200, False)
