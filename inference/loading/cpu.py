"""Properties of this machine's processor that decide which variants of a model it can load."""

from __future__ import annotations

import functools
from typing import Final

_CPUINFO: Final = "/proc/cpuinfo"
_FIRST_BYTES: Final = 1 << 13
"""Enough of /proc/cpuinfo to describe the first processor. The others are like the first."""

_X86_64: Final = 8
_AVX512: Final = 16


@functools.cache
def block_width() -> int:
    """Return the block width of ONNX Runtime's blocked layout here, in floats; 0 if unknown."""
    try:
        with open(_CPUINFO, "rb") as stream:  # noqa: PTH123 - on every cold start's path
            return width_of(stream.read(_FIRST_BYTES).decode("ascii", "replace"))
    except OSError:
        return 0


def width_of(cpuinfo: str) -> int:
    """Return the block width, in floats, of the first processor in /proc/cpuinfo; 0 if unknown.

    Linux omits the flags of an instruction set if it does not save that set's registers. On aarch64
    the processor does not decide the width: only some builds of ONNX Runtime have blocks there.
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
