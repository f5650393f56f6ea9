"""Progress of long work, on stderr: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import TaskID


class Progress(Protocol):
    """Receiver of the progress of long work. Its methods return quickly."""

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Begin a step. `total_bytes` 0: the size is unknown."""

    def advance(self, n_bytes: int) -> None:
        """Count `n_bytes` more bytes of the step as done."""


class Silent:
    """Progress that is not shown."""

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Do nothing."""

    def advance(self, n_bytes: int) -> None:
        """Do nothing."""


class Lines:
    """Progress as lines: one for each step, and one every ten seconds of a long step."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._what, self._total, self._done, self._printed_at = "", 0, 0, 0.0

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Print the step, and its size if known."""
        self._what, self._total, self._done = what, total_bytes, 0
        self._printed_at = time.monotonic()
        size = f" ({readable_bytes(total_bytes)})" if total_bytes else ""
        self._out.write(f"{what}{size}\n")
        self._out.flush()

    def advance(self, n_bytes: int) -> None:
        """Print the bytes done, if the last line is ten seconds old."""
        self._done += n_bytes
        if time.monotonic() - self._printed_at >= 10:
            self._printed_at = time.monotonic()
            done, total = readable_bytes(self._done), readable_bytes(self._total)
            self._out.write(f"{self._what}: {done} of {total}\n")
            self._out.flush()


class Bar:
    """Progress as a bar on a terminal, by rich. A context manager: its end removes the bar."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as RichProgress  # noqa: PLC0415

        self._rich = RichProgress(
            TextColumn("{task.description}", markup=False),  # a step may name a file
            BarColumn(),
            TextColumn("{task.fields[size]}", markup=False),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task: TaskID | None = None
        self._total, self._done = 0, 0

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._rich.stop()

    def step(self, what: str, total_bytes: int = 0) -> None:
        """Begin a new bar. Without a size the bar only pulses."""
        if self._task is not None:  # a reset would keep the size of the step before
            self._rich.remove_task(self._task)
        self._total, self._done = total_bytes, 0
        self._task = self._rich.add_task(what, total=total_bytes or None, size=self._size())

    def advance(self, n_bytes: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._done += n_bytes
            self._rich.update(self._task, advance=n_bytes, size=self._size())

    def _size(self) -> str:
        if not self._total:
            return ""
        return f"{readable_bytes(self._done)} of {readable_bytes(self._total)}"


def lines_on_stderr() -> Lines:
    """Return a Progress that prints plain lines, for a log."""
    return Lines(sys.stderr)


def readable_bytes(count: float) -> str:
    """Return a size as text: `3.2 MB` (decimal units)."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError
