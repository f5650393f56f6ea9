"""Memory budget of this environment, and memory need of each version. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from model_store.variant import Variant

RESERVED_BYTES: Final = 48 << 20
"""Memory reserved for calls beside the versions: bodies of 6 MB, their tensors and answers."""

_UNMEASURED_FACTOR: Final = 3
"""Estimated peak of a session without a measurement, as a multiple of its files' size. A ResNet-50
of 94 MB took 295 MB."""

_UNMEASURED_RESIDENT_FACTOR: Final = 2


class Need(NamedTuple):
    """Memory that a version takes, in bytes: while it loads, and when it is warm."""

    peak_bytes: int
    resident_bytes: int
    is_measured: bool


def need_of(variant: Variant | None, size_bytes: int) -> Need:
    """Return a version's need: the variant's measurement, else an estimate from the files' size."""
    if variant is None:
        return Need(
            size_bytes * _UNMEASURED_FACTOR, size_bytes * _UNMEASURED_RESIDENT_FACTOR, False
        )
    measured = variant.measured
    return Need(max(measured.peak_bytes, measured.resident_bytes), measured.resident_bytes, True)


def budget_bytes(*, budget_mb: int | None, function_mb: int | None, base_bytes: int) -> int | None:
    """Return the memory that all versions together may take; None if there is no limit.

    `budget_mb` (MEMORY_BUDGET_MB) takes precedence. Else it is the function's memory, less
    `base_bytes` (the process's memory before it loaded any version) and RESERVED_BYTES.
    """
    if budget_mb is not None:
        return budget_mb << 20
    if function_mb is None:
        return None
    return max((function_mb << 20) - base_bytes - RESERVED_BYTES, 0)
