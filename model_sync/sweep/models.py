"""Sweeps one model: marks versions as deleted, then deletes what no generation names.

A generation is won first, always. It marks the versions (a label that moved meanwhile saves its
version: what may be deleted is decided anew on what is newest), and whoever is about to name a
folder that is about to go has lost: it reads this generation, and then refuses what is that old
(refs/model_removal.py). Whatever ends a sweep, the next one goes on: a deleted version's folder needs no
further wait.
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
    """Sweep one model. Raises StoreError, SyncError or OSError where its refs cannot be read."""
    place = sweep.layout.model(name)
    refs = settle(place, sweep.staging) if sweep.staging else read_upward(place)
    if refs is None:
        _sweep_unpublished(sweep, name)
    elif refs.is_removed:
        _remove(sweep, refs)
    else:
        newest = _sweep_versions(sweep, refs)
        # What was marked just now is waited for, whatever the clocks say.
        untouched = newest.generation == refs.generation
        if untouched and may_remove(newest, _linked_s(place, newest.generation), sweep.now_s):
            _remove(sweep, newest)


def _sweep_versions(sweep: Sweep, refs: Refs) -> Refs:
    """Delete versions, and folders that nothing names; returns the newest refs."""
    name, place = refs.model, sweep.layout.model(refs.model)
    found = {inner: names_in(sweep.layout.root, "models", name, inner) for inner in _FOLDERS}
    plan = VersionPlan((), {})

    def decide(newest: Refs) -> Refs:
        nonlocal plan
        plan = plan_versions(newest, _past(place, newest), sweep.now_s)
        if not plan.delete and not _trash(place, newest, found, sweep.now_s).unnamed:
            return newest
        marked = changes.delete(newest, plan.delete, now=timestamp(sweep.now_s))
        return marked._replace(change=Change(sweep.store.who, now(), SWEEP, ""))

    if sweep.staging is None:
        before, after = refs, decide(refs)
    else:
        reason = "what is retired and named by nothing goes"
        before, after = _changed(sweep, name, decide, reason)
    gone = set()
    for number in plan.delete:
        entry = before.versions[number]
        gone |= {entry.id, *entry.preparations.values()}
        sweep.report.deleted.append(
            {"model": name, "version": number, "size_bytes": entry.size_bytes}
        )
    for number, reason in plan.keep.items():
        sweep.report.kept.append({"model": name, "version": number, "reason": reason})
    trash = _trash(place, after, found, sweep.now_s)
    for inner, names in found.items():
        for each in names:
            if each in gone:
                sweep.delete("models", name, inner, each)
            elif each in trash.deleted | trash.unnamed:
                sweep.delete("models", name, inner, each, told=sweep.report.folders)
    return after


def _trash(
    place: ModelLayout, refs: Refs, found: Mapping[str, Collection[str]], now_s: float
) -> FolderPlan:
    """Which of the folders that were found are trash; looks back only if any might be."""
    ids = [each for names in found.values() for each in names]
    plan = plan_folders(refs, ids, now_s)
    unnamed = plan.unnamed.intersection(found["preparations"])
    if not unnamed:
        return plan
    replaced = replaced_preparations(generations(place, refs), unnamed)
    return plan_folders(refs, ids, now_s, replaced)


def _changed(sweep: Sweep, name: str, decide: Decide, reason: str) -> tuple[Refs, Refs]:
    """Commit a change; what is left of it to settle is no reason not to go on."""
    before, after, unsettled = sweep.store.change(name, decide, verb=SWEEP, reason=reason)
    if unsettled is not None:
        sweep.report.failures.append({"what": f"models/{name}", "error": unsettled})
    return before, after


def _past(place: ModelLayout, refs: Refs) -> Past:
    """What happened before; no further back than needed, and not at all if nothing is retired."""
    retired = [n for n, entry in refs.versions.items() if entry.state is State.RETIRED]
    if not retired:
        return Past({}, {})
    back = look_back(generations(place, refs), retired)
    return Past(
        back.named,
        {number: _linked_s(place, linked) for number, linked in back.retired_by.items()},
    )


def _linked_s(place: ModelLayout, generation: int) -> float:
    """When a generation was linked, or later, by the file system's own clock.

    Each change of a file's names moves its ctime, and nothing moves it back. The file is opened:
    attributes alone may come from an NFS client's cache.
    """
    fd = os.open(place.generation(generation), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return os.fstat(fd).st_ctime
    finally:
        os.close(fd)


def _remove(sweep: Sweep, newest: Refs) -> None:
    """Take a whole model away: its last generation, then its folder (refs/model_removal.py)."""
    name = newest.model
    if sweep.staging is None:
        sweep.delete("models", name, told=sweep.report.folders)
        return
    place = sweep.layout.model(name)

    def decide(refs: Refs) -> Refs:
        if not may_remove(refs, _linked_s(place, refs.generation), sweep.now_s):
            return refs
        return refs._replace(change=Change(sweep.store.who, now(), REMOVED, ""))

    last = newest
    if not last.is_removed:
        last = sweep.store.change(name, decide, verb=REMOVED, reason="nothing is left").after
    if last.is_removed:
        _move_away(sweep, last)


def _sweep_unpublished(sweep: Sweep, name: str) -> None:
    """Remove a folder of which no generation was ever committed, a day after it was made."""
    place, root = sweep.layout.model(name), sweep.layout.root
    inside = names_in(root, "models", name)
    ids = [each for inner in _FOLDERS for each in names_in(root, "models", name, inner)]
    if names_in(root, "models", name, "refs"):
        # It may be that the first generation has just been committed.
        if read_generation(place, 1) is None:
            raise DamagedError(f"models/{name}/refs holds files, and no first generation")
        return
    with contextlib.suppress(NotFoundError):
        ids.append(read_model_id(place))
    if not ids or set(inside) - _OF_A_MODEL or not all(is_old(each, sweep.now_s) for each in ids):
        return
    if sweep.staging is None:
        sweep.delete("models", name, told=sweep.report.folders)
        return
    change = Change(sweep.store.who, now(), REMOVED, "nothing was ever committed")
    model_id = ensure_model(place, sweep.staging)
    last = first_refs(name, model_id, writer=new_id(), change=change)._replace(generation=1)
    if try_commit(place, sweep.staging, last):
        _move_away(sweep, last)


def _move_away(sweep: Sweep, last: Refs) -> None:
    taken = remove_folder(sweep.layout, last, sweep.trash)
    if taken:
        path = f"models/{last.model}"
        sweep.report.folders.append(path)
        sweep.empty(path, taken)
