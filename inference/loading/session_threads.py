"""How many threads a session computes with: as many as the environment has processors.

Lambda gives a function one processor per 1,769 MB of memory, and shows it more than that: two at
1,769 MB, of which it may use one. A session left to itself starts a thread for each that it sees,
pins each to a processor, and lets them spin while they wait; where the share is smaller, they spin
away the time that the computing needs. What that costs is in docs/performance.md.

Nothing here is read twice: the environment's variables do not change while it lives.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

MEMORY_MB_PER_PROCESSOR: Final = 1769
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"""

MEMORY_VARIABLE: Final = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE"
"""Lambda sets it, in MB. Elsewhere it is not set, unless somebody measures as if on Lambda."""


def intra_op_threads(memory_mb: int | None, cores: int) -> int:
    """How many threads one call computes with, at least 1 and at most `cores`.

    `memory_mb` is the function's memory, None off Lambda: then every core is ours. `cores` are
    those that this process may run on.
    """
    if memory_mb is None:
        return max(cores, 1)
    return max(min(memory_mb // MEMORY_MB_PER_PROCESSOR, cores), 1)


def environment_threads(environ: Mapping[str, str] = os.environ) -> int:
    """What `intra_op_threads` gives here; raises ValueError that names the wrong variable."""
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
