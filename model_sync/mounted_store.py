"""A mounted store with an operation's caller, progress and time limit."""

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
    """A store that is mounted here, for one operation."""

    layout: StoreLayout
    progress: Progress
    who: str
    """The caller, for the models' histories."""
    time_limit: TimeLimit = NO_LIMIT
    """Time limit for preparing versions."""

    def change(self, model: str, decide: Decide, *, verb: str, reason: str) -> Outcome:
        """Commit the refs that `decide` returns for a model's newest refs (refs/transaction.py)."""
        return change_refs(self.layout, model, decide, verb=verb, reason=reason, who=self.who)
