"""One change of a model's refs, whoever else is writing: decide, commit, and if lost, decide again.

Begins and ends with `settle`, also where nothing is to be changed, so that what a crashed writer
left heals here.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from model_store.documents import now
from model_store.errors import NotFoundError, StoreError
from model_store.names import new_id
from model_store.reading import read_upward
from model_store.refs import Change, Refs
from model_sync.commit import settle, try_commit
from model_sync.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_store.layout import StoreLayout

    Decide = Callable[[Refs], Refs]


class Outcome(NamedTuple):
    """What a change came to: the refs before it, and those that it made, or found as they are."""

    before: Refs
    after: Refs

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
    if read_upward(place) is None:
        raise NotFoundError(f"no model is named {model!r} in the store at {layout.root}")
    with Staging(layout) as staging:
        before = settle(place, staging)
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
                with contextlib.suppress(OSError, StoreError):  # it is committed; the next heals
                    settle(place, staging)
                return Outcome(before, after)
            before = settle(place, staging)
