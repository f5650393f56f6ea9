"""Change a model's refs with optimistic concurrency: decide, commit, and decide again after a loss.

A change begins and ends with `settle`, even if it changes nothing, to repair what a crashed writer
left.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from model_store.documents import now
from model_store.errors import NotFoundError
from model_store.names import new_id
from model_store.refs import Change, Refs
from model_sync.refs.commit import Losses, settle, settle_committed, try_commit
from model_sync.store_io.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_store.layout import StoreLayout

    Decide = Callable[[Refs], Refs]


class Outcome(NamedTuple):
    """The refs before and after a change: the same object if the change had nothing to do."""

    before: Refs
    after: Refs
    unsettled: str | None = None
    """A line for a committed change that could not be settled (commit.py), else None."""

    @property
    def changed(self) -> bool:
        """True if a generation was committed."""
        return self.before is not self.after


def change_refs(
    layout: StoreLayout, model: str, decide: Decide, *, verb: str, reason: str, who: str
) -> Outcome:
    """Commit the refs that `decide` returns for the newest refs; it may be called repeatedly.

    Raises NotFoundError if there is no such model, and the errors of `decide`.
    """
    place = layout.model(model)
    with Staging(layout) as staging:
        before = settle(place, staging)
        if before is None:
            raise NotFoundError(f"no model is named {model!r} in the store at {layout.root}")
        losses = Losses()
        while True:
            if before is None or before.is_removed:
                raise NotFoundError(f"the model {model!r} was deleted during the change")
            decided = decide(before)
            if decided == before:
                return Outcome(before, before)
            after = decided._replace(
                generation=before.generation + 1,
                writer=new_id(),
                change=Change(who, now(), verb, reason),
            )
            if try_commit(place, staging, after):
                return Outcome(before, after, settle_committed(place, staging, after))
            previous = before
            before = settle(place, staging)
            losses.count(previous, before)
