"""Which versions rule 6 (mapped_files.py) forbids, from what is held and what was seen of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inference.process.clock import Moment
from inference.serving.mapped_files import FileLease, lease_of_set, may_run
from model_store.documents import seconds_of
from model_store.refs import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from inference.serving.background_loads import Pinned
    from inference.serving.refs_watch import ModelView
    from inference.serving.warm_models import WarmModel
    from model_store.digests import Digest


def find_forbidden(
    model: WarmModel,
    view: ModelView,
    numbers: Iterable[int | None],
    remaining_s: float,
    pinned: Mapping[Digest, Iterable[Pinned]],
    look: Callable[[str], ModelView | None],
) -> Iterator[int]:
    """Name the versions that must not run, or be loaded, from now on for `remaining_s`.

    `pinned`: the package sets that this process imported from, and who pins them; `look` gives a
    model as it was last seen. A version over anonymous memory leans on nothing but these sets.
    """
    now = Moment.now()
    sets = [lease_of_pinned(by, look) for by in pinned.values()] if pinned else []
    for number in dict.fromkeys(numbers):
        if number is None:
            continue
        warm = model.warm.get(number)
        is_anonymous = warm is not None and not warm.loaded.maps_files
        leans_on = sets if is_anonymous else [lease_of(view, number), *sets]
        if not may_run(leans_on, now, remaining_s):
            yield number


def lease_of(view: ModelView, number: int) -> FileLease:
    """What refs said of a version when they were last read in the way that rule 6 counts."""
    entry = view.refs.versions.get(number)
    if entry is None:
        return FileLease(State.DELETED, None, view.upward_at)
    after_s = seconds_of(entry.sweep_after) if entry.sweep_after else None
    return FileLease(entry.state, after_s, view.upward_at)


def lease_of_pinned(
    pinned_by: Iterable[Pinned], look: Callable[[str], ModelView | None]
) -> FileLease:
    """The standing of a package set; as one deleted, where nobody is known to pin it any more."""
    views = ((look(name), identity, number) for name, identity, number in pinned_by)
    found = lease_of_set(
        lease_of(view, number)
        for view, identity, number in views
        if view is not None and view.identity == identity
    )
    return found or FileLease(State.DELETED, None, Moment.now())
