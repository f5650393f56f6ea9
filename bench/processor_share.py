"""CPU share for one process, as on Lambda: by cgroup, as root."""

from __future__ import annotations

import contextlib
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROOT: Final = Path("/sys/fs/cgroup")
_PERIOD_US: Final = 100_000
"""Linux's default. Lambda's period is not documented."""


@contextlib.contextmanager
def processor_share(processors: float) -> Iterator[Path]:
    """Create a control group with this CPU share; yield the file to write a process id to.

    The group must be empty at the end. Raise OSError if this process may not create a group.
    """
    second = (_ROOT / "cgroup.controllers").exists()
    group = (_ROOT if second else _ROOT / "cpu") / f"coldpress-{uuid.uuid4().hex[:8]}"
    quota_us = int(processors * _PERIOD_US)
    group.mkdir()
    try:
        if second:
            (group / "cpu.max").write_text(f"{quota_us} {_PERIOD_US}", "ascii")
        else:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US), "ascii")
            (group / "cpu.cfs_quota_us").write_text(str(quota_us), "ascii")
        yield group / "cgroup.procs"
    finally:
        with contextlib.suppress(OSError):
            os.rmdir(group)  # noqa: PTH106 - the kernel removes its own files in it
