"""The changes of refs that a publication makes. Pure functions; the tests have the table.

A version's identity is its contents: publishing contents that are already published makes no new
version. It only moves the label if necessary, and adds a preparation if this runtime has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_store.refs import Change, Refs, State, VersionEntry

if TYPE_CHECKING:
    from model_store.digests import Digest


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """The steps of a publication. `existing`: number of the published version; None: a new one."""

    existing: int | None
    prepare: bool
    move_label: bool

    @property
    def is_noop(self) -> bool:
        """True if nothing is to be written."""
        return self.existing is not None and not self.prepare and not self.move_label


def plan_publish(refs: Refs | None, *, digest: Digest, runtime: str, label: str) -> PublishPlan:
    """Plan the publication of contents with this digest."""
    number = find_available(refs, digest)
    if refs is None or number is None:
        return PublishPlan(existing=None, prepare=True, move_label=True)
    return PublishPlan(
        existing=number,
        prepare=runtime not in refs.versions[number].preparations,
        move_label=refs.labels.get(label) != number,
    )


def find_available(refs: Refs | None, digest: Digest) -> int | None:
    """Return the newest available version with these contents, or None."""
    if refs is None:
        return None
    return max(
        (
            number
            for number, entry in refs.versions.items()
            if entry.digest == digest and entry.state is State.AVAILABLE
        ),
        default=None,
    )


def first_refs(model: str, model_id: str, *, writer: str, change: Change) -> Refs:
    """Return empty refs, as before the first generation."""
    return Refs(
        model=model,
        model_id=model_id,
        generation=0,
        writer=writer,
        next_version=1,
        labels={},
        split={},
        versions={},
        holds={},
        change=change,
    )


def with_version(
    refs: Refs, entry: VersionEntry, *, label: str, writer: str, change: Change
) -> Refs:
    """Return the next generation: a new version with the next number, and the label on it."""
    number = refs.next_version
    return refs._replace(
        generation=refs.generation + 1,
        writer=writer,
        change=change,
        next_version=number + 1,
        versions={**refs.versions, number: entry},
        labels={**refs.labels, label: number},
    )


def with_existing(
    refs: Refs,
    number: int,
    *,
    preparations: dict[str, str],
    label: str,
    writer: str,
    change: Change,
) -> Refs:
    """Return the next generation: the label on an existing version, and added preparations."""
    entry = refs.versions[number]
    entry = entry._replace(preparations={**entry.preparations, **preparations})
    return refs._replace(
        generation=refs.generation + 1,
        writer=writer,
        change=change,
        versions={**refs.versions, number: entry},
        labels={**refs.labels, label: number},
    )
