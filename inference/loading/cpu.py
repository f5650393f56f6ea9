"""What this processor is, as far as a form of a model depends on it."""

from __future__ import annotations

import functools
from typing import Final

_CPUINFO: Final = "/proc/cpuinfo"
_FIRST_BYTES: Final = 1 << 13
"""As much of /proc/cpuinfo as the first processor takes: the others are like it."""

_X86_64: Final = 8
_AVX512: Final = 16


@functools.cache
def block_width() -> int:
    """How many floats ONNX Runtime lays side by side here in its blocked layout; 0: not known."""
    try:
        with open(_CPUINFO, "rb") as stream:  # noqa: PTH123 - on every cold start's path
            return width_of(stream.read(_FIRST_BYTES).decode("ascii", "replace"))
    except OSError:
        return 0


def width_of(cpuinfo: str) -> int:
    """The block width of the processor that /proc/cpuinfo describes first; 0: not known.

    Linux lists no flag whose registers it does not save. On aarch64 the width does not follow from
    the processor: builds of ONNX Runtime have blocks there, or have none.
    Source: onnxruntime/core/mlas/lib/platform.cpp, NchwcBlockSize.
    """
    flags: set[str] = set()
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "flags":
            flags = set(value.split())
            break
    if "lm" not in flags:  # x86-64's "long mode"
        return 0
    return _AVX512 if {"avx512f", "avx2", "fma", "avx"} <= flags else _X86_64
