"""Operations that show package sets: their contents, and the versions that pin them."""

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
    """Return all sets in a store, by digest, as `--json` prints them. Raises StoreError."""
    pins = _pins(layout)
    listed = list_packages(layout)
    return {"packages": [{**each, "pinned_by": pins[each["digest"]]} for each in listed]}


def show_packages(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Show the set that `digest` names: a digest, or an unambiguous prefix of one."""
    text = request.text("digest")
    request.done()
    digest = find_package_set(store.layout, text)
    manifest = read_package_set(store.layout, digest)
    return {
        **describe_packages(manifest),
        "wheels": [wheel.to_json() for wheel in manifest.wheels],
        "pinned_by": _pins(store.layout)[str(digest)],
    }


def _pins(layout: StoreLayout) -> dict[str, list[dict[str, Any]]]:
    """Return the versions that pin a set and are not deleted, by the digests of sets."""
    pins: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for model in list_models(layout):
        refs = read_upward(layout.model(model))
        for number, entry in sorted(refs.versions.items()) if refs else ():
            if entry.state is State.DELETED:
                continue
            digest = read_version(layout, model, entry).content.packages
            if digest:
                pinning = {"model": model, "version": number, "state": str(entry.state)}
                pins[str(digest)].append(pinning)
    return pins
