"""Operations on versions and whole models: retire, delete-model, hold, release, settle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from model_store.documents import now, timestamp
from model_store.errors import NotFoundError
from model_store.reading import list_models
from model_store.refs import GRACE_S, State
from model_sync.admin.labels import describe_change
from model_sync.refs import changes
from model_sync.refs.commit import settle
from model_sync.store_io.staging import Staging

if TYPE_CHECKING:
    from model_store.refs import Refs
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import RequestFields

MAX_HOURS: Final = 24 * 366
"""Longest duration of a hold."""


def retire(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Take `version` from service; it may be swept a day later."""
    model, number = request.model(), request.whole("version", 1, 10**18)
    reason = request.optional_text("reason") or ""
    request.done()

    def decide(refs: Refs) -> Refs:
        return changes.retire(refs, number, now=now(), sweep_after=_sweep_after())

    outcome = store.change(model, decide, verb="retire", reason=reason)
    entry = outcome.after.versions[number]
    return {**describe_change(outcome), "version": number, "sweep_after": entry.sweep_after}


def delete_model(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Take a model from service: remove its labels and retire its versions, to be swept later."""
    model, reason = request.model(), request.optional_text("reason") or ""
    request.done()

    def decide(refs: Refs) -> Refs:
        return changes.retire_all(refs, now=now(), sweep_after=_sweep_after())

    outcome = store.change(model, decide, verb="delete-model", reason=reason)
    retired = {
        number: entry
        for number, entry in outcome.after.versions.items()
        if entry.state is State.RETIRED
    }
    return {
        **describe_change(outcome),
        "versions": sorted(retired),
        "size_bytes": sum(entry.size_bytes for entry in retired.values()),
        "sweep_after": max((entry.sweep_after or "" for entry in retired.values()), default=None),
    }


def hold(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Keep `version` from being swept for `hours`, by a hold of `job`."""
    model, number, job = request.model(), request.whole("version", 1, 10**18), request.job()
    hours, reason = request.whole("hours", 1, MAX_HOURS), request.optional_text("reason") or ""
    request.done()
    until = timestamp(time.time() + hours * 3600)
    outcome = store.change(
        model, lambda refs: changes.hold(refs, job, number, until=until), verb="hold", reason=reason
    )
    return {**describe_change(outcome), "job": job, "version": number, "until": until}


def release(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Remove the hold of `job`."""
    model, job = request.model(), request.job()
    reason = request.optional_text("reason") or ""
    request.done()
    outcome = store.change(
        model, lambda refs: changes.release(refs, job), verb="release", reason=reason
    )
    return {**describe_change(outcome), "job": job}


def settle_models(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Make refs.json the newest generation, of every model or of `model` only."""
    name = request.optional_text("model")
    request.done()
    names = (name,) if name else list_models(store.layout)
    settled = []
    with Staging(store.layout) as staging:
        for each in names:
            refs = settle(store.layout.model(each), staging)
            if name and not refs:
                raise NotFoundError(
                    f"no model is named {name!r} in the store at {store.layout.root}"
                )
            if refs:
                settled.append({"name": each, "generation": refs.generation})
    return {"models": settled}


def _sweep_after() -> str:
    return timestamp(time.time() + GRACE_S)
