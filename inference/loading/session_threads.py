"""Number of threads of a session: the number of processors that the environment really has.

Lambda gives a function one processor per 1,769 MB of memory, but shows more: at 1,769 MB a function
sees two processors and may use one. By default, a session starts one thread for each visible
processor, pins it there and lets it spin while it waits. If the function's share is smaller, the
spinning takes time from the computation (measured: docs/performance.md).

Environment variables are read once: they do not change while the process lives.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY_MB_PER_PROCESSOR: Final = 1769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

MEMORY_VARIABLE: Final = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
"""Set by Lambda, in MB. Elsewhere it is unset, except to measure under Lambda's limits."""


def intra_op_threads(memory_mb: int | None, cores: int) -> int:
    """Return the number of threads for one call, at least 1 and at most `cores`.

    `memory_mb` is the function's memory; None off Lambda, where every core may be used. `cores` is
    the number of processors that this process may run on.
    """
    if memory_mb is None:
        return max(cores, 1)
    return max(min(memory_mb // MEMORY_MB_PER_PROCESSOR, cores), 1)


def environment_threads(environ: Mapping[str, str] = os.environ) -> int:
    """Return `intra_op_threads` of this environment; raises ValueError naming a wrong variable."""
    return intra_op_threads(_memory_mb(environ), _cores())


def _memory_mb(environ: Mapping[str, str]) -> int | None:
    text = environ.get(MEMORY_VARIABLE, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError(f"{MEMORY_VARIABLE} is {text!r}: expected a number of MB")
    return int(text)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
