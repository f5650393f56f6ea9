"""Sweep one model: mark versions as deleted, then delete folders that no generation names.

A sweep always commits a generation before it deletes. The decision is made on the newest refs, so
a label that moved to a version in time saves it. A writer that is about to name one of the folders
then loses the race for the next generation, reads this one, and refuses folders that are that old
(refs/model_removal.py). If a sweep is interrupted, the next one continues: the folder of a deleted
version needs no further wait.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from model_store.documents import now, timestamp
from model_store.errors import DamagedError, NotFoundError
from model_store.names import new_id
from model_store.reading import read_generation, read_model_id, read_upward
from model_store.refs import REMOVED, Change, Refs, State
from model_sync.refs import changes
from model_sync.refs.commit import ensure_model, settle, try_commit
from model_sync.refs.history import generations, look_back, replaced_preparations
from model_sync.refs.model_removal import remove_folder
from model_sync.refs.publish_changes import first_refs
from model_sync.store_io.trash import names_in
from model_sync.sweep.plan import (
    FolderPlan,
    Past,
    VersionPlan,
    is_old,
    may_remove,
    plan_folders,
    plan_versions,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from model_store.layout import ModelLayout
    from model_sync.refs.transaction import Decide
    from model_sync.sweep.run import Sweep

SWEEP: Final = "sweep"
_FOLDERS: Final = ("versions", "preparations")
_OF_A_MODEL: Final = {"MODEL.json", "refs", "refs.json", *_FOLDERS}


def sweep_model(sweep: Sweep, name: str) -> None:
    """Sweep one model. Raises StoreError, SyncError or OSError if its refs cannot be read."""
    layout = sweep.layout.model(name)
    refs = settle(layout, sweep.staging) if sweep.staging else read_upward(layout)
    if refs is None:
        _sweep_unpublished(sweep, name)
    elif refs.is_removed:
        _remove(sweep, refs)
    else:
        newest = _sweep_versions(sweep, refs)
        # Versions that were marked now must wait, whatever the clocks say.
        unchanged = newest.generation == refs.generation
        if unchanged and may_remove(newest, _linked_s(layout, newest.generation), sweep.now_s):
            _remove(sweep, newest)


def _sweep_versions(sweep: Sweep, refs: Refs) -> Refs:
    """Delete versions, and folders that nothing names; return the newest refs."""
    name, layout = refs.model, sweep.layout.model(refs.model)
    folders = {inner: names_in(sweep.layout.root, "models", name, inner) for inner in _FOLDERS}
    plan = VersionPlan((), {})

    def decide(newest: Refs) -> Refs:
        nonlocal plan
        plan = plan_versions(newest, _past(layout, newest), sweep.now_s)
        if not plan.delete and not _trash(layout, newest, folders, sweep.now_s).unnamed:
            return newest
        marked = changes.delete(newest, plan.delete, now=timestamp(sweep.now_s))
        return marked._replace(change=Change(sweep.store.who, now(), SWEEP, ""))

    if sweep.staging is None:
        before, after = refs, decide(refs)
    else:
        reason = "delete retired versions and folders that nothing names"
        before, after = _changed(sweep, name, decide, reason)
    deleted = set()
    for number in plan.delete:
        entry = before.versions[number]
        deleted |= {entry.id, *entry.preparations.values()}
        sweep.report.deleted.append(
            {"model": name, "version": number, "size_bytes": entry.size_bytes}
        )
    for number, reason in plan.keep.items():
        sweep.report.kept.append({"model": name, "version": number, "reason": reason})
    trash = _trash(layout, after, folders, sweep.now_s)
    for inner, names in folders.items():
        for each in names:
            if each in deleted:
                sweep.delete("models", name, inner, each)
            elif each in trash.deleted | trash.unnamed:
                sweep.delete("models", name, inner, each, report=sweep.report.folders)
    return after


def _trash(
    layout: ModelLayout, refs: Refs, folders: Mapping[str, Collection[str]], now_s: float
) -> FolderPlan:
    """Return the folders that are trash. Earlier generations are read only if any may be."""
    ids = [each for names in folders.values() for each in names]
    plan = plan_folders(refs, ids, now_s)
    unnamed = plan.unnamed.intersection(folders["preparations"])
    if not unnamed:
        return plan
    replaced = replaced_preparations(generations(layout, refs), unnamed)
    return plan_folders(refs, ids, now_s, replaced)


def _changed(sweep: Sweep, name: str, decide: Decide, reason: str) -> tuple[Refs, Refs]:
    """Commit a change. A change that remains to be settled is reported as a failure."""
    before, after, unsettled = sweep.store.change(name, decide, verb=SWEEP, reason=reason)
    if unsettled is not None:
        sweep.report.failures.append({"what": f"models/{name}", "error": unsettled})
    return before, after


def _past(layout: ModelLayout, refs: Refs) -> Past:
    """Return the model's past. Earlier generations are read only if a version is retired."""
    retired = [n for n, entry in refs.versions.items() if entry.state is State.RETIRED]
    if not retired:
        return Past({}, {})
    history = look_back(generations(layout, refs), retired)
    return Past(
        history.named,
        {number: _linked_s(layout, linked) for number, linked in history.retired_by.items()},
    )


def _linked_s(layout: ModelLayout, generation: int) -> float:
    """Return when a generation was linked, or a later time, by the file system's clock.

    Linking a file sets its ctime, and nothing sets it back. The file is opened, because an NFS
    client may have cached older attributes.
    """
    fd = os.open(layout.generation(generation), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.fstat(fd).st_ctime
    finally:
        os.close(fd)


def _remove(sweep: Sweep, newest: Refs) -> None:
    """Remove a model: commit its last generation, then move its folder (refs/model_removal.py)."""
    name = newest.model
    if sweep.staging is None:
        sweep.delete("models", name, report=sweep.report.folders)
        return
    layout = sweep.layout.model(name)

    def decide(refs: Refs) -> Refs:
        if not may_remove(refs, _linked_s(layout, refs.generation), sweep.now_s):
            return refs
        return refs._replace(change=Change(sweep.store.who, now(), REMOVED, ""))

    last = newest
    if not last.is_removed:
        last = sweep.store.change(name, decide, verb=REMOVED, reason="nothing is left").after
    if last.is_removed:
        _move_away(sweep, last)


def _sweep_unpublished(sweep: Sweep, name: str) -> None:
    """Remove a model's folder without any generation, a day after it was made."""
    layout, root = sweep.layout.model(name), sweep.layout.root
    inside = names_in(root, "models", name)
    ids = [each for inner in _FOLDERS for each in names_in(root, "models", name, inner)]
    if names_in(root, "models", name, "refs"):
        # The first generation may have just been committed.
        if read_generation(layout, 1) is None:
            raise DamagedError(f"models/{name}/refs holds files, but no first generation")
        return
    with contextlib.suppress(NotFoundError):
        ids.append(read_model_id(layout))
    if not ids or set(inside) - _OF_A_MODEL or not all(is_old(each, sweep.now_s) for each in ids):
        return
    if sweep.staging is None:
        sweep.delete("models", name, report=sweep.report.folders)
        return
    change = Change(sweep.store.who, now(), REMOVED, "nothing was ever committed")
    model_id = ensure_model(layout, sweep.staging)
    last = first_refs(name, model_id, writer=new_id(), change=change)._replace(generation=1)
    if try_commit(layout, sweep.staging, last):
        _move_away(sweep, last)


def _move_away(sweep: Sweep, last: Refs) -> None:
    trashed = remove_folder(sweep.layout, last, sweep.trash)
    if trashed:
        path = f"models/{last.model}"
        sweep.report.folders.append(path)
        sweep.empty(path, trashed)
