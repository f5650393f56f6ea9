"""Operations on labels: promote, rollback, unlabel, split.

Each commits one generation of refs, or none if nothing changes. refs/changes.py decides which
changes are allowed.
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


def promote(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Put `label` on `version`, a number or a label that names the version."""
    model, version = request.model(), request.text("version")
    label, reason = request.label("label", LATEST), request.optional_text("reason") or ""
    request.done()

    def decide(refs: Refs) -> Refs:
        return changes.promote(refs, _version_number(refs, version), label)

    return _describe_move(store.change(model, decide, verb="promote", reason=reason), label)


def rollback(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Put `label` back on the version that it named before, or on the version `to`."""
    model, to = request.model(), request.optional_version("to")
    label, reason = request.label("label", LATEST), request.optional_text("reason") or ""
    request.done()

    def decide(refs: Refs) -> Refs:
        named = () if to else last_named(store.layout.model(model), refs, label, 2)
        return changes.roll_back(refs, label, named, to)

    return _describe_move(store.change(model, decide, verb="rollback", reason=reason), label)


def unlabel(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Remove `label`."""
    model, label = request.model(), request.label("label")
    reason = request.optional_text("reason") or ""
    request.done()
    outcome = store.change(
        model, lambda refs: changes.remove_label(refs, label), verb="unlabel", reason=reason
    )
    return _describe_move(outcome, label)


def split(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Set the `shares` of the calls that go to labels, in percent; none removes the split."""
    model, shares = request.model(), request.shares("shares")
    reason = request.optional_text("reason") or ""
    request.done()
    outcome = store.change(
        model, lambda refs: changes.split(refs, shares), verb="split", reason=reason
    )
    return {**describe_change(outcome), "split": dict(sorted(outcome.after.split.items()))}


def _describe_move(outcome: Outcome, label: str) -> dict[str, Any]:
    """Return a label's move, as `--json` prints it. `version` or `before` null: no such label."""
    return {
        **describe_change(outcome),
        "label": label,
        "version": outcome.after.labels.get(label),
        "before": outcome.before.labels.get(label),
    }


def describe_change(outcome: Outcome) -> dict[str, Any]:
    """Return the fields that the results of all changes have."""
    refs = outcome.after
    fields = {"model": refs.model, "generation": refs.generation, "changed": outcome.changed}
    return fields if outcome.unsettled is None else {**fields, "unsettled": outcome.unsettled}


def _version_number(refs: Refs, version: str) -> int:
    """Return the number of a version that is given by its number or by a label."""
    if version.isdecimal():
        return parse_version(version)
    if version not in refs.labels:
        labels = ", ".join(sorted(refs.labels)) or "none"
        raise ChangeError(
            f"{refs.model!r} has no label {version!r}: name a version's number, or one of {labels}"
        )
    return refs.labels[version]
