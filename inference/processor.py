"""What this processor is, as far as a form of a model depends on it."""

from __future__ import annotations

import functools
from typing import Final

_FIRST_BYTES: Final = 1 << 13
"""As much of /proc/cpuinfo as the first processor takes: the others are like it."""

_AVX: Final = 8
_AVX512: Final = 16


@functools.cache
def block_width() -> int:
    """How many floats ONNX Runtime lays side by side here in its blocked layout; 0: not known."""
    try:
        with open("/proc/cpuinfo", "rb") as stream:  # noqa: PTH123 - on every cold start's path
            return width_of(stream.read(_FIRST_BYTES).decode("ascii", "replace"))
    except OSError:
        return 0


def width_of(cpuinfo: str) -> int:
    """The block width of the processor that /proc/cpuinfo describes first; 0: not known.

    Source: onnxruntime/core/mlas/lib/platform.cpp, NchwcBlockSize.
    """
    flags: set[str] = set()
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            flags = set(value.split())
            break
    if {"avx512f", "avx2", "fma"} <= flags:
        return _AVX512
    return _AVX if "avx" in flags else 0
