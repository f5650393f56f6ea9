"""Accounting of every call: count it, delay it, and fail it if a fault says so."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Final, TypeVar

import pyfuse3
import trio

from bench.efs_stand_in.faults import DIE, HANG, Faults
from bench.efs_stand_in.pipe import Pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.efs_stand_in.faults import Fault
    from bench.efs_stand_in.options import Options

T = TypeVar("T")

_WRITING: Final = frozenset({"write", "fsync", "written"})
_FREE: Final = frozenset({"flush", "release", "releasedir", "forget"})
READ_BYTES: Final = "read_bytes"
WRITTEN_BYTES: Final = "written_bytes"


class Traffic:
    """State that all calls of one mount share. Not thread-safe."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.pipe = Pipe(options.bandwidth_mib_s)
        self.faults = Faults()
        self.counts: Counter[str] = Counter()
        self.traced: list[tuple[str, ...]] = []
        self.reads: list[tuple[list[str], int, int]] = []
        self._released = trio.Event()

    async def do(
        self,
        operation: str,
        paths: Callable[[], Sequence[str]],
        work: Callable[[], T],
        *,
        size_bytes: int = 0,
        delay: str | None = None,
    ) -> T:
        """Count a call, wait for its delay, and do its work, or fail as the faults say.

        `delay` names another operation whose delay applies. Raise FUSEError if the call fails.
        """
        self.counts[operation] += 1
        if self._options.trace:
            self.traced.append((operation, *paths()))
        fault = self.faults.meet(operation, paths)
        await self.pipe.take(self._delay_ms(delay or operation), size_bytes)
        if fault is not None:
            await self._befall(fault)
        try:
            done = work()
        except OSError as error:
            raise pyfuse3.FUSEError(error.errno) from None
        if fault is not None and fault.after:
            raise pyfuse3.FUSEError(fault.errno)
        return done

    def heal(self) -> None:
        """Deactivate all faults, and let hanging calls continue."""
        self.faults.clear()
        self._released.set()
        self._released = trio.Event()

    async def _befall(self, fault: Fault) -> None:
        if fault.does == DIE:
            os._exit(1)
        elif fault.does == HANG:
            await self._released.wait()
        elif not fault.after:
            raise pyfuse3.FUSEError(fault.errno)

    def _delay_ms(self, operation: str) -> float:
        if operation in _FREE:
            return 0.0
        if operation in _WRITING:
            return self._options.write_ms
        return self._options.read_ms if operation == "read" else self._options.metadata_ms
