"""One change of a model's refs, whoever else is writing: decide, commit, and if lost, decide again.

Begins and ends with `settle`, also where nothing is to be changed, so that what a crashed writer
left heals here.
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
    """What a change came to: the refs before it, and those that it made, or found as they are."""

    before: Refs
    after: Refs
    unsettled: str | None = None
    """What is left to settle though the change is committed, in a line (commit.py)."""

    @property
    def changed(self) -> bool:
        """Whether a generation was made."""
        return self.before is not self.after


def change_refs(
    layout: StoreLayout, model: str, decide: Decide, *, verb: str, reason: str, who: str
) -> Outcome:
    """Commit what `decide` makes of the newest refs; it may be asked more than once.

    Raises NotFoundError for a model that is not there, and whatever `decide` raises.
    """
    place = layout.model(model)
    with Staging(layout) as staging:
        before = settle(place, staging)
        if before is None:
            raise NotFoundError(f"no model is named {model!r} in the store at {layout.root}")
        losses = Losses()
        while True:
            if before is None or before.is_removed:
                raise NotFoundError(f"the model {model!r} was deleted meanwhile")
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
