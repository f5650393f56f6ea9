"""Delays with a resolution of a tenth of a millisecond, and a bandwidth that all calls share."""

from __future__ import annotations

import ctypes
import heapq
import itertools
import os
import time
from typing import Final

import trio

# From linux/time.h and sys/timerfd.h.
_CLOCK_MONOTONIC: Final = 1
_TFD_TIMER_ABSTIME: Final = 1
_MIB: Final = 1 << 20


class Pipe:
    """Delay and bandwidth limit for calls. Not thread-safe; `run` must be running."""

    def __init__(self, bandwidth_mib_s: float) -> None:
        self._s_a_byte = 1 / (bandwidth_mib_s * _MIB) if bandwidth_mib_s else 0.0
        self._free_at = 0.0
        self._timer = _Timer()

    async def run(self) -> None:
        """Wake waiting calls, forever."""
        await self._timer.run()

    async def take(self, delay_ms: float, size_bytes: int = 0) -> None:
        """Wait for a delay, and then for the transfer of `size_bytes` bytes."""
        through = now = time.monotonic()
        through += delay_ms / 1e3
        if size_bytes and self._s_a_byte:
            through = self._free_at = max(through, self._free_at) + size_bytes * self._s_a_byte
        if through > now:
            await self._timer.wait_until(through)


class _Timer:
    """A timerfd. Trio sleeps by the timeout of epoll, which is rounded up to whole milliseconds."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")
        self._waiting: list[tuple[float, int, trio.Event]] = []
        self._order = itertools.count()

    async def wait_until(self, when: float) -> None:
        """Return at a time of the monotonic clock."""
        woken = trio.Event()
        heapq.heappush(self._waiting, (when, next(self._order), woken))
        if self._waiting[0][2] is woken:
            self._arm()
        await woken.wait()

    async def run(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self._fd)
            os.read(self._fd, 8)
            while self._waiting and self._waiting[0][0] <= time.monotonic():
                heapq.heappop(self._waiting)[2].set()
            if self._waiting:
                self._arm()

    def _arm(self) -> None:
        seconds, rest = divmod(self._waiting[0][0], 1)
        # struct itimerspec: the interval, then the value; a value of zero would disarm it.
        spec = (ctypes.c_long * 4)(0, 0, int(seconds), max(1, int(rest * 1e9)))
        if self._libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, spec, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")
