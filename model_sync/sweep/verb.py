"""The operation sweep: delete objects that no reader may use any more.

1. For each model: versions that are retired, past their time and named by nothing; folders that no
   generation names; the model itself if nothing of it is left.
2. Package sets that no version pins, a day after a sweep marked them.
3. Folders in `staging/` and `trash/` that are more than a day old.

An error in one step ends that step only, and is added to the `failures`. plan.py makes the
decisions; docs/store-format.md explains why they are safe.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from model_store.errors import InvalidNameError
from model_store.layout import STAGING, TRASH
from model_store.names import check_model
from model_store.reading import read_store_id
from model_sync.errors import ChangeError
from model_sync.store_io.staging import Staging
from model_sync.store_io.trash import Trash, names_in
from model_sync.sweep.models import sweep_model
from model_sync.sweep.package_sets import sweep_sets
from model_sync.sweep.plan import is_old
from model_sync.sweep.run import Report, Sweep

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import RequestFields

MAX_CLOCK_ERROR_S: Final = 60
"""Largest difference between this machine's clock and the file system's."""


def sweep(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Sweep the store, or with `dry_run` report what would be deleted, and why the rest is kept.

    Raises ChangeError, before deleting, if this machine's clock differs from the file system's.
    """
    dry_run = request.flag("dry_run")
    request.done()
    read_store_id(store.layout)
    if not dry_run:
        _check_clock(store.layout)
    return sweep_store(store, time.time(), dry_run=dry_run)


def sweep_store(store: MountedStore, now_s: float, *, dry_run: bool = False) -> dict[str, Any]:
    """Sweep as of a time, in seconds since 1970; a dry run changes nothing."""
    root = store.layout.root
    read_store_id(store.layout)
    report = Report(dry_run)
    with contextlib.ExitStack() as stack:
        staging = None if dry_run else stack.enter_context(Staging(store.layout))
        trash = stack.enter_context(Trash(store.layout))
        run = Sweep(store=store, now_s=now_s, report=report, trash=trash, staging=staging)
        with run.step("models"):
            for name in names_in(root, "models"):
                if _is_model(name):
                    store.progress.step(f"sweeping {name}")
                    with run.step(f"models/{name}"):
                        sweep_model(run, name)
        store.progress.step("sweeping package sets, staging and trash")
        with run.step("packages"):
            sweep_sets(run)
        own = {trash.id, staging.id if staging else None}
        for folder in (STAGING, TRASH):
            with run.step(folder):
                for name in names_in(root, folder):
                    if is_old(name, now_s) and name not in own:
                        run.delete(folder, name, report=report.folders)
    return asdict(report)


def _check_clock(layout: StoreLayout) -> None:
    with Staging(layout) as staging:
        ahead_s = time.time() - staging.folder.stat().st_ctime
    if abs(ahead_s) > MAX_CLOCK_ERROR_S:
        where = "ahead of" if ahead_s > 0 else "behind"
        raise ChangeError(
            f"this machine's clock is {abs(ahead_s):.0f} s {where} the file system's: set it, "
            "because a sweep decides by time"
        )


def _is_model(name: str) -> bool:
    try:
        check_model(name)
    except InvalidNameError:
        return False
    return True
