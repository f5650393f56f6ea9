"""The verbs that work on a store where it is mounted, by name: here, or in the sync function.

Each takes the Store and what was asked (fields by name, request_fields.py) and returns what it found or
did, as `--json` prints it. Raises SyncError or StoreError. Publishing is not among them: its bytes
come from elsewhere (publishing/publish.py, sync_job/publish.py).
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
"""Verbs that need the store and another place of this machine's: not for the sync function."""


def run_operation(verb: str, store: MountedStore, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Run one verb; raises KeyError for one that is not here."""
    return OPERATIONS[verb](store, RequestFields(fields))
