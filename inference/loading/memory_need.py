"""How much memory versions may take here, and what each needs. Pure functions of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from model_store.variant import Variant

RESERVED_BYTES: Final = 48 << 20
"""Kept for what calls take beside the versions: bodies of 6 MB, their tensors and answers."""

_UNMEASURED_FACTOR: Final = 3
"""A session takes up to this much of its files at its peak, where nobody measured it: a ResNet-50
of 94 MB took 295 MB."""

_UNMEASURED_RESIDENT_FACTOR: Final = 2


class Need(NamedTuple):
    """What a version takes of memory, in bytes: while it loads, and when it is warm."""

    peak_bytes: int
    resident_bytes: int
    is_measured: bool


def need_of(variant: Variant | None, size_bytes: int) -> Need:
    """What a version needs: as preparing it measured, else estimated from its files' size."""
    if variant is None:
        return Need(
            size_bytes * _UNMEASURED_FACTOR, size_bytes * _UNMEASURED_RESIDENT_FACTOR, False
        )
    measured = variant.measured
    return Need(max(measured.peak_bytes, measured.resident_bytes), measured.resident_bytes, True)


def budget_bytes(*, budget_mb: int | None, function_mb: int | None, base_bytes: int) -> int | None:
    """What all versions together may take; None where nobody set a limit.

    `budget_mb` (MEMORY_BUDGET_MB) wins; else the function's memory, less what the process took
    before it loaded any (`base_bytes`) and RESERVED_BYTES.
    """
    if budget_mb is not None:
        return budget_mb << 20
    if function_mb is None:
        return None
    return max((function_mb << 20) - base_bytes - RESERVED_BYTES, 0)
