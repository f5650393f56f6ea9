"""The verb that looks at one package set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from model_store.reading import (
    find_package_set,
    list_models,
    read_package_set,
    read_upward,
    read_version,
)
from model_store.refs import State
from model_sync.packages import describe_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.digests import Digest
    from model_store.layout import StoreLayout
    from model_sync.asked import Asked
    from model_sync.opened import OpenedStore


def show_packages(store: OpenedStore, asked: Asked) -> dict[str, Any]:
    """Everything about the set that `digest` names: its digest, or what it alone begins with."""
    text = asked.text("digest")
    asked.done()
    digest = find_package_set(store.layout, text)
    manifest = read_package_set(store.layout, digest)
    return {
        **describe_packages(manifest),
        "wheels": [wheel.to_json() for wheel in manifest.wheels],
        "pinned_by": list(_pinned_by(store.layout, digest)),
    }


def _pinned_by(layout: StoreLayout, digest: Digest) -> Iterator[dict[str, Any]]:
    """The versions that pin a set and are not deleted."""
    for model in list_models(layout):
        refs = read_upward(layout.model(model))
        for number, entry in sorted(refs.versions.items()) if refs else ():
            if (
                entry.state is not State.DELETED
                and read_version(layout, model, entry).content.packages == digest
            ):
                yield {"model": model, "version": number, "state": str(entry.state)}
