"""The width of a processor's blocks is read from what Linux says of it, or it is not known."""

from __future__ import annotations

import pytest

from inference.loading.cpu import width_of


def flags(*names: str) -> str:
    return f"processor\t: 0\nmodel name\t: x\nflags\t\t: fpu {' '.join(names)}\nbogomips\t: 1\n\n"


SSE = ("lm", "sse2")
AVX = (*SSE, "avx")
AVX2 = (*AVX, "avx2", "fma")
AVX512 = (*AVX2, "avx512f")
CASES = {
    "AVX-512": (flags(*AVX512), 16),
    "AVX-512 of the first processor": (flags(*AVX512) + flags(*AVX2), 16),
    "AVX-512 of another alone": (flags(*AVX2) + flags(*AVX512), 8),
    "other instructions of AVX-512": (flags(*AVX2, "avx512cd", "avx512bw"), 8),
    "AVX-512 without FMA": (flags(*AVX, "avx2", "avx512f"), 8),
    "AVX-512 without AVX2": (flags(*AVX, "fma", "avx512f"), 8),
    "AVX2": (flags(*AVX2), 8),
    "AVX": (flags(*AVX), 8),
    "neither": (flags(*SSE), 8),
    "32 bits": (flags("sse2", "avx", "avx2", "fma", "avx512f"), 0),
    "aarch64": ("processor\t: 0\nFeatures\t: fp asimd lm avx512f avx2 fma\n", 0),
    "flags of a bug": (f"bugs\t: {' '.join(AVX512)}\n", 0),
    "cut off": (flags(*AVX512)[:30], 0),
    "no colon": ("flags lm avx512f avx2 fma avx", 0),
    "garbage": ("\0\ufffd:::\n:flags\n", 0),
    "nothing": ("", 0),
}


@pytest.mark.parametrize(("cpuinfo", "width"), CASES.values(), ids=CASES)
def test_the_width_of_a_block(cpuinfo: str, width: int) -> None:
    assert width_of(cpuinfo) == width
