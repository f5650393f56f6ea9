"""Decides when an environment must start anew, for what it imported is in the way. Pure functions.

Python cannot take back what it imported from a package set. So an environment is due (`find_due`)

- when a version that a label names needs other packages, and nothing that labels name needs those
  that are in its way. `latest` comes before other labels: an environment that answered a canary
  first must not be lost for everyone else. Two that come equal are no case: they would take turns
  for ever, and an environment that starts anew could serve no more of them than this one does;
- when no version in service is known to need a set any more that it imported from: its files will
  be deleted, and then nothing may run here (mapped_files.py).

Where something answers meanwhile, it is not due before `wait_s` have passed, which differ from one
environment to the next: all notice at about the same time, and while one starts it takes no call.

How it starts anew: lambda_runtime/recycling.py. PinnedSets asks after each call (pinned_sets.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from inference.serving.mapped_files import lease_of_pinned, may_run
from model_store.refs import LATEST, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inference.process.clock import Moment
    from inference.serving.mapped_files import Pinned
    from inference.serving.view import ModelView
    from model_store.digests import Digest

    Look = Callable[[str], ModelView | None]


class Conflict(NamedTuple):
    """A version that does not load, for package sets in use are in its way; and when it did not."""

    version: Pinned
    in_the_way: tuple[Digest, ...]
    noticed: Moment


class Due(NamedTuple):
    """An environment must start anew: for which model, and why, in a line."""

    model: str
    reason: str


def find_due(
    conflicts: Iterable[Conflict],
    outlived: Mapping[Digest, Moment],
    pinned: Mapping[Digest, Iterable[Pinned]],
    look: Look,
    now: Moment,
    *,
    wait_s: float,
    answered: Iterable[str],
) -> Due | None:
    """Why this environment must start anew now, if it must.

    `pinned`: the sets that this process imported from, and the versions that pin each; `look`
    gives a model as it was last seen. `outlived` are those of the sets that no version in service
    needs (`find_outlived`), and since when that is known. `answered` are the models that something
    warm answers for.
    """
    answered = frozenset(answered)
    for conflict in conflicts:
        name, _, number = conflict.version
        waits = name in answered and conflict.noticed.elapsed_s(now) < wait_s
        if not waits and _goes_before(conflict, pinned, look):
            return Due(name, f"version {number} needs other packages than those of older versions")
    for packages, noticed in outlived.items():
        standing = lease_of_pinned(pinned[packages], look)
        waits = noticed.elapsed_s(now) < wait_s and may_run([standing], now, wait_s)
        if not waits:
            name = next((name for name, _, _ in pinned[packages]), "")
            return Due(name, f"no version in service is known to need package set {packages}")
    return None


def find_outlived(pinned: Mapping[Digest, Iterable[Pinned]], look: Look) -> frozenset[Digest]:
    """The package sets in use that no version in service is known to need."""
    return frozenset(
        packages
        for packages, by in pinned.items()
        if lease_of_pinned(by, look).state is not State.AVAILABLE
    )


def _goes_before(conflict: Conflict, pinned: Mapping[Digest, Iterable[Pinned]], look: Look) -> bool:
    wants = _labels(conflict.version, look)
    if not wants:
        return False
    for packages in conflict.in_the_way:
        if packages not in pinned:
            return False  # what needs it is still being loaded
        for version in pinned[packages]:
            needs = _labels(version, look)
            if LATEST in needs or (needs and LATEST not in wants):
                return False
    return True


def _labels(version: Pinned, look: Look) -> frozenset[str]:
    """The labels that name a version that is in service."""
    name, identity, number = version
    view = look(name)
    if view is None or view.identity != identity:
        return frozenset()
    entry = view.refs.versions.get(number)
    if entry is None or entry.state is not State.AVAILABLE:
        return frozenset()
    return frozenset(label for label, named in view.refs.labels.items() if named == number)
