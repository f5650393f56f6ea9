"""Options of a stand-in without faults: delays, bandwidth, caches, read-ahead. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import argparse

KERNEL_READ_AHEAD_KIB: Final = 128
"""Default read-ahead of the kernel's NFS client."""

TUNED_READ_AHEAD_KIB: Final = 15_000
"""Read-ahead that EFS's mount helper sets: fifteen times rsize."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Properties of one mount. Each field is also a command-line option of the same name."""

    metadata_ms: float = 1.0
    """Delay of every operation except read, write, flush and fsync."""
    read_ms: float = 1.0
    """Delay of a read, before its bytes go through the pipe."""
    write_ms: float = 2.7
    """Delay of a write, of an fsync, and of closing a file that was written."""
    bandwidth_mib_s: float = 300.0
    """Bandwidth that all reads and writes share; 0: unlimited."""
    cache_s: float = 3.0
    """Time for which the kernel caches attributes and existing names."""
    missing_cache_s: float = 0.0
    """Time for which the kernel caches missing names. NFS clients do so longer than attributes."""
    read_ahead_kib: int = KERNEL_READ_AHEAD_KIB
    """Distance that the kernel reads ahead of a sequential reader."""
    trace: bool = False
    """Record the paths of every call, for `EfsStandIn.traced`."""

    def arguments(self) -> list[str]:
        """Return the command-line arguments that give these options."""
        return [
            f"--{field.name.replace('_', '-')}={value}"
            for field in dataclasses.fields(self)
            if not isinstance(value := getattr(self, field.name), bool)
        ] + (["--trace"] if self.trace else [])


FAST: Final = Options(metadata_ms=0.0, read_ms=0.0, write_ms=0.0, bandwidth_mib_s=0.0)
"""No delays: for tests that count calls or inject faults."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add an option for each field to a parser, with the field's default."""
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
    """Return the options of a parsed command line."""
    fields = dataclasses.fields(Options)
    return Options(**{field.name: getattr(parsed, field.name) for field in fields})
