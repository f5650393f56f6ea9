"""Verbs that move labels: promote, rollback, unlabel, split.

Each makes one generation of refs, or none where everything is already as asked. What may be done
is decided in refs/changes.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_store.refs import LATEST
from model_sync.errors import ChangeError
from model_sync.refs import changes
from model_sync.refs.history import last_named
from model_sync.request_fields import parse_version

if TYPE_CHECKING:
    from model_store.refs import Refs
    from model_sync.mounted_store import MountedStore
    from model_sync.refs.transaction import Outcome
    from model_sync.request_fields import RequestFields


def promote(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Put `label` on `version`, which is a number, or a label that names the version."""
    model, version = asked.model(), asked.text("version")
    label, reason = asked.label("label", LATEST), asked.optional_text("reason") or ""
    asked.done()

    def decide(refs: Refs) -> Refs:
        return changes.promote(refs, _number(refs, version), label)

    return moved(store.change(model, decide, verb="promote", reason=reason), label)


def rollback(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Put `label` back on the version that it named before, or on the version `to`."""
    model, to = asked.model(), asked.optional_version("to")
    label, reason = asked.label("label", LATEST), asked.optional_text("reason") or ""
    asked.done()

    def decide(refs: Refs) -> Refs:
        named = () if to else last_named(store.layout.model(model), refs, label, 2)
        return changes.roll_back(refs, label, named, to)

    return moved(store.change(model, decide, verb="rollback", reason=reason), label)


def unlabel(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Take `label` away."""
    model, label = asked.model(), asked.label("label")
    reason = asked.optional_text("reason") or ""
    asked.done()
    outcome = store.change(
        model, lambda refs: changes.remove_label(refs, label), verb="unlabel", reason=reason
    )
    return moved(outcome, label)


def split(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Give labels their `shares` of the calls, in percent; none takes the split away."""
    model, shares = asked.model(), asked.shares("shares")
    reason = asked.optional_text("reason") or ""
    asked.done()
    outcome = store.change(
        model, lambda refs: changes.split(refs, shares), verb="split", reason=reason
    )
    return {**described(outcome), "split": dict(sorted(outcome.after.split.items()))}


def moved(outcome: Outcome, label: str) -> dict[str, Any]:
    """A label's move, as `--json` prints it; `version` and `before` null: no such label."""
    return {
        **described(outcome),
        "label": label,
        "version": outcome.after.labels.get(label),
        "before": outcome.before.labels.get(label),
    }


def described(outcome: Outcome) -> dict[str, Any]:
    """What every change says of itself."""
    refs = outcome.after
    found = {"model": refs.model, "generation": refs.generation, "changed": outcome.changed}
    return found if outcome.unsettled is None else {**found, "unsettled": outcome.unsettled}


def _number(refs: Refs, version: str) -> int:
    """A version's number, which may be given by a label that names it."""
    if version.isdecimal():
        return parse_version(version)
    if version not in refs.labels:
        labels = ", ".join(sorted(refs.labels)) or "none"
        raise ChangeError(
            f"{refs.model!r} has no label {version!r}: name a version's number, or one of {labels}"
        )
    return refs.labels[version]
