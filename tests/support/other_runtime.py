"""Versions as another ONNX Runtime's publisher left them: prepared for it, and not for this one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from inference.loading.loader import RUNTIME
from model_store.documents import render
from model_store.layout import MANIFEST
from model_store.names import new_id
from model_sync.mounted_store import MountedStore
from model_sync.progress import Silent
from model_sync.store_io import durable
from model_sync.store_io.staging import Staging

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_store.refs import Refs

OTHER: Final = "ort-1.1.0-x86_64-p1"


def move_to_other_runtime(layout: StoreLayout, name: str) -> None:
    """Make every preparation of a model one that another runtime made, in one generation."""
    store = MountedStore(layout=layout, progress=Silent(), who="test")

    def decide(refs: Refs) -> Refs:
        versions = {
            number: entry._replace(
                preparations={OTHER: _as_others(layout, name, entry.preparations[RUNTIME])}
            )
            for number, entry in refs.versions.items()
        }
        return refs._replace(versions=versions)

    store.change(name, decide, verb="publish", reason="")


def _as_others(layout: StoreLayout, name: str, preparation_id: str) -> str:
    place, made = layout.model(name), new_id()
    manifest = json.loads((place.preparation(preparation_id) / MANIFEST).read_bytes())
    with Staging(layout) as staging:
        staging.path(made).mkdir()
        told = render({**manifest, "id": made, "runtime": OTHER})
        durable.write_file(staging.path(made) / MANIFEST, told)
        staging.publish(made, place.preparation(made))
    return made
