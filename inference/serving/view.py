"""One model as it was last seen in the store: a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from inference.process.clock import Moment
    from model_store.reading import Seen
    from model_store.refs import Refs


class ModelView(NamedTuple):
    """One model's refs, and when they were read.

    `checked_at`: start of the last successful read of refs. `upward_at`: start of the last one
    that read upward (model_store/reading.py). `error`: why the newest read failed; None if it
    succeeded.
    """

    seen: Seen
    checked_at: Moment
    upward_at: Moment
    error: str | None = None

    @property
    def refs(self) -> Refs:
        """The model's refs."""
        return self.seen.refs

    @property
    def identity(self) -> tuple[str, str]:
        """Store id and model id. Under another identity, the same numbers mean other versions."""
        return self.seen.store_id, self.seen.refs.model_id

    def is_of_same_refs(self, other: ModelView) -> bool:
        """Return True if both views show the same generation of the same model."""
        is_same = self.refs.generation == other.refs.generation
        return is_same and self.identity == other.identity
