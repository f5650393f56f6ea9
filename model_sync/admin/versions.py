"""Verbs about versions and whole models: retire, delete-model, hold, release, settle."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from model_store.documents import now, timestamp
from model_store.errors import NotFoundError
from model_store.reading import list_models
from model_store.refs import GRACE_S, State
from model_sync.admin.labels import described
from model_sync.refs import changes
from model_sync.refs.commit import settle
from model_sync.store_io.staging import Staging

if TYPE_CHECKING:
    from model_store.refs import Refs
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import RequestFields

MOST_HOURS: Final = 24 * 366
"""A hold that lasts longer has been forgotten."""


def retire(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Take `version` from service; it may be swept a day later."""
    model, number = asked.model(), asked.whole("version", 1, 10**18)
    reason = asked.optional_text("reason") or ""
    asked.done()

    def decide(refs: Refs) -> Refs:
        return changes.retire(refs, number, now=now(), sweep_after=_sweep_after())

    outcome = store.change(model, decide, verb="retire", reason=reason)
    entry = outcome.after.versions[number]
    return {**described(outcome), "version": number, "sweep_after": entry.sweep_after}


def delete_model(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Take a whole model from service: labels go, versions are retired, and swept a day later."""
    model, reason = asked.model(), asked.optional_text("reason") or ""
    asked.done()

    def decide(refs: Refs) -> Refs:
        return changes.retire_all(refs, now=now(), sweep_after=_sweep_after())

    outcome = store.change(model, decide, verb="delete-model", reason=reason)
    retired = {
        number: entry
        for number, entry in outcome.after.versions.items()
        if entry.state is State.RETIRED
    }
    return {
        **described(outcome),
        "versions": sorted(retired),
        "size_bytes": sum(entry.size_bytes for entry in retired.values()),
        "sweep_after": max((entry.sweep_after or "" for entry in retired.values()), default=None),
    }


def hold(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Keep `version` from being swept for some `hours`, in the name of `job`."""
    model, number, job = asked.model(), asked.whole("version", 1, 10**18), asked.job()
    hours, reason = asked.whole("hours", 1, MOST_HOURS), asked.optional_text("reason") or ""
    asked.done()
    until = timestamp(time.time() + hours * 3600)
    outcome = store.change(
        model, lambda refs: changes.hold(refs, job, number, until=until), verb="hold", reason=reason
    )
    return {**described(outcome), "job": job, "version": number, "until": until}


def release(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Take the hold of `job` away."""
    model, job = asked.model(), asked.job()
    reason = asked.optional_text("reason") or ""
    asked.done()
    outcome = store.change(
        model, lambda refs: changes.release(refs, job), verb="release", reason=reason
    )
    return {**described(outcome), "job": job}


def settle_models(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Make every model's refs.json the newest generation, or that of `model` alone."""
    name = asked.optional_text("model")
    asked.done()
    names = (name,) if name else list_models(store.layout)
    found = []
    with Staging(store.layout) as staging:
        for each in names:
            refs = settle(store.layout.model(each), staging)
            if name and not refs:
                raise NotFoundError(
                    f"no model is named {name!r} in the store at {store.layout.root}"
                )
            if refs:
                found.append({"name": each, "generation": refs.generation})
    return {"models": found}


def _sweep_after() -> str:
    return timestamp(time.time() + GRACE_S)
