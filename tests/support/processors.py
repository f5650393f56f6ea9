"""This machine, pretended to have another processor."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from inference.loading import cpu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

WITHOUT_AVX512 = "flags\t\t: fpu lm sse2 avx avx2 fma\n"
WITH_AVX512 = "flags\t\t: fpu lm sse2 avx avx2 fma avx512f\n"
UNKNOWN = "Features\t: fp asimd\n"


@contextmanager
def pretended(cpuinfo: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have /proc/cpuinfo read as given, and what was read of it before forgotten, both ways."""
    path = folder / "cpuinfo"
    path.write_text(cpuinfo)
    with monkeypatch.context() as patch:
        patch.setattr(cpu, "_CPUINFO", str(path))
        cpu.block_width.cache_clear()
        try:
            yield
        finally:
            cpu.block_width.cache_clear()


def other_than_this() -> str:
    """A processor with blocks of another width."""
    return WITHOUT_AVX512 if cpu.block_width() == 16 else WITH_AVX512
