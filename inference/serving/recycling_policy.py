"""The decision when an environment must be restarted for its package sets: pure functions.

Python cannot unload what it imported from a package set. So an environment is due to be restarted
(`find_due`)

- when a version that a label names needs other packages, and no version that a label names needs
  the sets that conflict with them. `latest` goes before other labels: an environment that answered
  a canary first must not be lost for all other calls. Versions of equal rank are no reason: they
  would take turns for ever, and a restarted environment could serve no more of them than this one;
- when no version in service is known to need a set that it imported from: the set's files will be
  deleted, and then no session may run here (mapped_files.py).

An environment that can answer is due only after `wait_s`, which differs between environments: all
of them notice at about the same time, and one that is being restarted takes no call.

How an environment is restarted: lambda_runtime/recycling.py. Who asks: PinnedSets (pinned_sets.py).
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

    ViewOf = Callable[[str], ModelView | None]


class Conflict(NamedTuple):
    """A version that does not load for pinned package sets, and the time of its first failure."""

    version: Pinned
    in_the_way: tuple[Digest, ...]
    noticed: Moment


class Due(NamedTuple):
    """The reason, in one line, for which an environment must be restarted, and the model."""

    model: str
    reason: str


def find_due(
    conflicts: Iterable[Conflict],
    outlived: Mapping[Digest, Moment],
    pinned: Mapping[Digest, Iterable[Pinned]],
    view_of: ViewOf,
    now: Moment,
    *,
    wait_s: float,
    answered: Iterable[str],
) -> Due | None:
    """Return why this environment must be restarted now; None if it need not be.

    - `pinned`: the sets that this process imported from, and the versions that pin each.
    - `outlived`: those of the sets that no version in service is known to need (`find_outlived`),
      and since when.
    - `view_of`: returns a model as it was last seen.
    - `answered`: the models that have a warm version.
    """
    answered = frozenset(answered)
    for conflict in conflicts:
        name, _, number = conflict.version
        waits = name in answered and conflict.noticed.elapsed_s(now) < wait_s
        if not waits and _goes_before(conflict, pinned, view_of):
            return Due(name, f"version {number} needs other packages than those of older versions")
    for packages, noticed in outlived.items():
        lease = lease_of_pinned(pinned[packages], view_of)
        waits = noticed.elapsed_s(now) < wait_s and may_run([lease], now, wait_s)
        if not waits:
            name = next((name for name, _, _ in pinned[packages]), "")
            return Due(name, f"no version in service is known to need package set {packages}")
    return None


def find_outlived(pinned: Mapping[Digest, Iterable[Pinned]], view_of: ViewOf) -> frozenset[Digest]:
    """Return the pinned sets that no version in service is known to need."""
    return frozenset(
        packages
        for packages, by in pinned.items()
        if lease_of_pinned(by, view_of).state is not State.AVAILABLE
    )


def _goes_before(
    conflict: Conflict, pinned: Mapping[Digest, Iterable[Pinned]], view_of: ViewOf
) -> bool:
    wants = _labels(conflict.version, view_of)
    if not wants:
        return False
    for packages in conflict.in_the_way:
        if packages not in pinned:
            return False  # the version that needs it is still being loaded
        for version in pinned[packages]:
            needs = _labels(version, view_of)
            if LATEST in needs or (needs and LATEST not in wants):
                return False
    return True


def _labels(version: Pinned, view_of: ViewOf) -> frozenset[str]:
    """Return the labels that name a version; none if it is not in service."""
    name, identity, number = version
    view = view_of(name)
    if view is None or view.identity != identity:
        return frozenset()
    entry = view.refs.versions.get(number)
    if entry is None or entry.state is not State.AVAILABLE:
        return frozenset()
    return frozenset(label for label, named in view.refs.labels.items() if named == number)
