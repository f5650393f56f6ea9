"""A store that verbs work on: where it lies, who asks, who is told how far it is, under what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model_sync.refs.transaction import Outcome, change_refs
from model_sync.time_limit import NO_LIMIT

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_sync.progress import Progress
    from model_sync.refs.transaction import Decide
    from model_sync.time_limit import TimeLimit


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedStore:
    """A store that is there."""

    layout: StoreLayout
    progress: Progress
    who: str
    """Who asks, for the models' history."""
    time_limit: TimeLimit = NO_LIMIT
    """Under which versions are prepared."""

    def change(self, model: str, decide: Decide, *, verb: str, reason: str) -> Outcome:
        """Commit what `decide` makes of a model's newest refs (refs/transaction.py)."""
        return change_refs(self.layout, model, decide, verb=verb, reason=reason, who=self.who)
