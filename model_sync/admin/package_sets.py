"""The verbs that look at package sets: what is in them, and which versions pin them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from model_store.reading import (
    find_package_set,
    list_models,
    read_package_set,
    read_upward,
    read_version,
)
from model_store.refs import State
from model_sync.package_sets.publish import describe_packages, list_packages

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import RequestFields


def list_sets(layout: StoreLayout) -> dict[str, Any]:
    """All sets in a store, by digest, as `--json` prints them. Raises StoreError."""
    pins = _pins(layout)
    listed = list_packages(layout)
    return {"packages": [{**each, "pinned_by": pins[each["digest"]]} for each in listed]}


def show_packages(store: MountedStore, asked: RequestFields) -> dict[str, Any]:
    """Everything about the set that `digest` names: its digest, or what it alone begins with."""
    text = asked.text("digest")
    asked.done()
    digest = find_package_set(store.layout, text)
    manifest = read_package_set(store.layout, digest)
    return {
        **describe_packages(manifest),
        "wheels": [wheel.to_json() for wheel in manifest.wheels],
        "pinned_by": _pins(store.layout)[str(digest)],
    }


def _pins(layout: StoreLayout) -> dict[str, list[dict[str, Any]]]:
    """The versions that pin a set and are not deleted, by the digests of sets."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for model in list_models(layout):
        refs = read_upward(layout.model(model))
        for number, entry in sorted(refs.versions.items()) if refs else ():
            if entry.state is State.DELETED:
                continue
            digest = read_version(layout, model, entry).content.packages
            if digest:
                pinning = {"model": model, "version": number, "state": str(entry.state)}
                found[str(digest)].append(pinning)
    return found
