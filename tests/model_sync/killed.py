"""Progress that ends its work; backups and restores whose process kills itself, without cleanup."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from model_store.layout import StoreLayout
from model_sync.admin.operations import run_operation
from model_sync.backup.restore import restore
from model_sync.mounted_store import MountedStore
from model_sync.progress import Silent
from tests.forked_children import exit_code_of_fork

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Ended(BaseException):
    """End of the work: not an Exception, like KeyboardInterrupt."""


class Ends(Silent):
    """Progress that ends the work at its n-th report."""

    def __init__(self, after: int) -> None:
        self.left = after

    def step(self, what: str, total_bytes: int = 0) -> None:
        self._count()

    def advance(self, n_bytes: int) -> None:
        self._count()

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self._end()

    def _end(self) -> None:
        raise Ended


class Killed(Ends):
    """Progress that kills its process at its n-th report."""

    def _end(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def backing_up(root: Path, folder: Path, after: int) -> None:
    """Back a store up until the n-th progress report."""
    store = MountedStore(layout=StoreLayout(root), progress=Killed(after), who="test")
    run_operation("backup", store, {"folder": str(folder)})


def restoring(folder: Path, root: Path, after: int) -> None:
    """Restore a backup until the n-th progress report."""
    restore(folder, root, Killed(after))


def killed(work: Callable[[Path, Path, int], None], source: Path, target: Path, after: int) -> bool:
    """Do it in a process that kills itself on the way; False: the work was done first."""
    code = exit_code_of_fork(work, source, target, after)
    assert code in {0, -signal.SIGKILL}
    return code != 0
