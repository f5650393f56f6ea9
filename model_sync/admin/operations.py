"""Operations on a mounted store, by name: on this machine, or in the sync function.

Each takes the store and the request's fields, and returns the result that `--json` prints. Raises
SyncError or StoreError. Publishing is not an operation: its bytes come from outside of the store
(publishing/publish.py, sync_job/publish.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from model_sync.admin import diff, labels, package_sets, prepare, show, versions
from model_sync.backup.backup import backup
from model_sync.request_fields import RequestFields
from model_sync.sweep.verb import sweep
from model_sync.verify.verb import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from model_sync.mounted_store import MountedStore

    Operation = Callable[[MountedStore, RequestFields], dict[str, Any]]

OPERATIONS: Final[Mapping[str, Operation]] = {
    "show": show.show,
    "show-packages": package_sets.show_packages,
    "diff": diff.diff,
    "history": show.history,
    "promote": labels.promote,
    "rollback": labels.rollback,
    "unlabel": labels.unlabel,
    "split": labels.split,
    "retire": versions.retire,
    "delete-model": versions.delete_model,
    "hold": versions.hold,
    "release": versions.release,
    "prepare": prepare.prepare,
    "settle": versions.settle_models,
    "sweep": sweep,
    "verify": verify,
    "backup": backup,
}


ONLY_HERE: Final = frozenset({"backup"})
"""Operations that need a folder of this machine, and so do not run in the sync function."""


def run_operation(name: str, store: MountedStore, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Run an operation; raises KeyError for an unknown name."""
    return OPERATIONS[name](store, RequestFields(fields))
