"""Deletes what nobody may use any more: the verb `sweep`.

1. Each model: versions that are retired, past their time and named by nothing; folders that no
   generation names; a whole model of which nothing is left.
2. Package sets that no version pins, a day after a sweep noticed.
3. What lies in `staging/` and `trash/` for over a day.

An error in one step ends that step alone, and is among the `failures`. What may be deleted is
decided in plan.py; why that is safe is in docs/store-format.md.
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

MOST_CLOCK_ERROR_S: Final = 60
"""How far the sweeping machine's clock may be from the file system's."""


def sweep(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Delete what may be, or with `dry_run` say what would be, and say why the rest is kept.

    Raises ChangeError where this machine's clock is not the file system's: nothing is deleted then.
    """
    dry_run = asked.flag("dry_run")
    asked.done()
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
        under_way = Sweep(store=store, now_s=now_s, report=report, trash=trash, staging=staging)
        with under_way.step("models"):
            for name in names_in(root, "models"):
                if _is_model(name):
                    store.progress.step(f"sweeping {name}")
                    with under_way.step(f"models/{name}"):
                        sweep_model(under_way, name)
        store.progress.step("sweeping package sets, staging and trash")
        with under_way.step("packages"):
            sweep_sets(under_way)
        own = {trash.id, staging.id if staging else None}
        for place in (STAGING, TRASH):
            with under_way.step(place):
                for name in names_in(root, place):
                    if is_old(name, now_s) and name not in own:
                        under_way.delete(place, name, told=report.folders)
    return asdict(report)


def _check_clock(layout: StoreLayout) -> None:
    with Staging(layout) as staging:
        ahead_s = time.time() - staging.folder.stat().st_ctime
    if abs(ahead_s) > MOST_CLOCK_ERROR_S:
        where = "ahead of" if ahead_s > 0 else "behind"
        raise ChangeError(
            f"this machine's clock is {abs(ahead_s):.0f} s {where} the file system's: set it, "
            "for what may be deleted depends on the time"
        )


def _is_model(name: str) -> bool:
    try:
        check_model(name)
    except InvalidNameError:
        return False
    return True
