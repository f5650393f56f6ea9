"""How a stand-in behaves while nothing fails: delays, bandwidth, caches, read-ahead. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import argparse

KERNEL_READ_AHEAD_KIB: Final = 128
"""What a kernel's NFS client reads ahead unless it is tuned."""

TUNED_READ_AHEAD_KIB: Final = 15_000
"""What EFS's mount helper sets, fifteen times rsize."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What one mount is like. Each field is an option of the command line, by its name."""

    metadata_ms: float = 1.0
    """Delay of every operation but read, write, flush and fsync."""
    read_ms: float = 1.0
    """Delay of a read, before its bytes go through the pipe."""
    write_ms: float = 2.7
    """Delay of a write, of an fsync, and of closing a file that was written."""
    bandwidth_mib_s: float = 300.0
    """The one pipe that all reads and writes share; 0: as wide as it gets."""
    cache_s: float = 3.0
    """How long the kernel believes attributes, and names that were there."""
    missing_cache_s: float = 0.0
    """How long it believes that a name was missing. NFS clients do, for longer than attributes."""
    read_ahead_kib: int = KERNEL_READ_AHEAD_KIB
    """How far the kernel reads ahead of a sequential reader."""
    trace: bool = False
    """Note the path of every call, for `EfsStandIn.traced`."""

    def arguments(self) -> list[str]:
        """The command line that says the same."""
        return [
            f"--{field.name.replace('_', '-')}={value}"
            for field in dataclasses.fields(self)
            if not isinstance(value := getattr(self, field.name), bool)
        ] + (["--trace"] if self.trace else [])


FAST: Final = Options(metadata_ms=0.0, read_ms=0.0, write_ms=0.0, bandwidth_mib_s=0.0)
"""No delay: for tests that count, or that make something fail."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give a parser an option for each field, with its default."""
    for field in dataclasses.fields(Options):
        default: Any = field.default
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(default, bool):
            parser.add_argument(flag, action="store_true")
        else:
            parser.add_argument(
                flag, type=type(default), default=default, metavar="N", help=f"default {default:g}"
            )


def from_arguments(parsed: argparse.Namespace) -> Options:
    """The options that were parsed."""
    fields = dataclasses.fields(Options)
    return Options(**{field.name: getattr(parsed, field.name) for field in fields})
