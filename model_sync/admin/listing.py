"""What is published: one entry a model, from one read of its refs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_store.reading import list_models, read_upward

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_store.refs import Refs


def list_published(layout: StoreLayout) -> dict[str, Any]:
    """Describe every model in a store, as `list --json` prints it; raises StoreError."""
    refs = (read_upward(layout.model(name)) for name in list_models(layout))
    return {"models": [_describe(each) for each in refs if each]}


def _describe(refs: Refs) -> dict[str, Any]:
    return {
        "name": refs.model,
        "generation": refs.generation,
        "labels": dict(sorted(refs.labels.items())),
        "split": dict(sorted(refs.split.items())),
        "versions": [
            {
                "version": number,
                "state": str(entry.state),
                "digest": str(entry.digest),
                "size_bytes": entry.size_bytes,
                "published_at": entry.published_at,
            }
            for number, entry in sorted(refs.versions.items())
        ],
    }
