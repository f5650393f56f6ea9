"""Generations of refs to commit, without anything that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_store.digests import Digest
from model_store.documents import now
from model_store.names import new_id
from model_store.refs import LATEST, Change, State, VersionEntry
from model_sync.refs.publish_changes import first_refs, with_version

if TYPE_CHECKING:
    from model_store.refs import Refs


def change() -> Change:
    """A change that says nothing."""
    return Change(who="test", when=now(), verb="publish", reason="")


def following(refs: Refs | None, *, model: str = "adder") -> Refs:
    """The next generation, of a writer of its own, with one version more."""
    writer = new_id()
    if refs is None:
        refs = first_refs(model, "model-id", writer=writer, change=change())
    entry = VersionEntry(
        id=writer,
        state=State.AVAILABLE,
        digest=Digest.of_bytes(writer.encode()),
        size_bytes=1,
        published_at=now(),
        preparations={},
    )
    return with_version(refs, entry, label=LATEST, writer=writer, change=change())
