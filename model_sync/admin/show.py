"""Operations that show models: list, show, history."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from model_store.errors import NotFoundError
from model_store.reading import list_models, read_preparation, read_upward, read_version
from model_store.refs import LATEST, State
from model_sync.errors import ChangeError
from model_sync.refs.history import generations
from model_sync.text import list_labels, list_versions

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_store.preparation import PreparationManifest
    from model_store.refs import Refs, VersionEntry
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import Reference, RequestFields

MAX_GENERATIONS = 10_000


def list_published(layout: StoreLayout) -> dict[str, Any]:
    """Return every model in a store, as `list --json` prints it; raises StoreError."""
    refs = (read_upward(layout.model(name)) for name in list_models(layout))
    return {"models": [_summary(each) for each in refs if each]}


def show(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Show the version that `model` (NAME, NAME@7, NAME:label) names."""
    reference = request.reference()
    request.done()
    refs = newest_refs(store, reference.model)
    number = named_version(refs, reference)
    entry = refs.versions[number]
    fields = {
        "model": refs.model,
        "model_id": refs.model_id,
        "generation": refs.generation,
        "version": number,
        "id": entry.id,
        "version_state": str(entry.state),
        "digest": str(entry.digest),
        "size_bytes": entry.size_bytes,
        "published_at": entry.published_at,
        "retired_at": entry.retired_at,
        "sweep_after": entry.sweep_after,
        "labels": sorted(label for label, named in refs.labels.items() if named == number),
        "split": {
            label: share for label, share in refs.split.items() if refs.labels[label] == number
        },
        "holds": {
            job: hold.until for job, hold in sorted(refs.holds.items()) if hold.version == number
        },
    }
    if entry.state is State.DELETED:
        return fields
    return {**fields, **_contents(store, refs, entry)}


def history(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Return the changes of a model, the newest first, `most` at most."""
    model, most = request.model(), request.whole("most", 1, MAX_GENERATIONS)
    request.done()
    newest = newest_refs(store, model)
    newest_first = islice(generations(store.layout.model(model), newest), most)
    return {
        "model": model,
        "generations": [
            {
                "generation": refs.generation,
                **refs.change.to_json(),
                "labels": dict(sorted(refs.labels.items())),
                "split": dict(sorted(refs.split.items())),
                "versions": {
                    str(number): str(entry.state) for number, entry in sorted(refs.versions.items())
                },
            }
            for refs in newest_first
        ],
    }


def newest_refs(store: MountedStore, model: str) -> Refs:
    """Return a model's newest refs; raises NotFoundError if there is no such model."""
    refs = read_upward(store.layout.model(model))
    if refs is None:
        raise NotFoundError(f"no model is named {model!r} in the store at {store.layout.root}")
    return refs


def named_version(refs: Refs, reference: Reference) -> int:
    """Return the number of the version that a reference names; raises ChangeError if none."""
    if reference.version is not None:
        if reference.version not in refs.versions:
            versions = list_versions(refs.versions)
            raise ChangeError(f"{refs.model!r} has no version {reference.version}: {versions}")
        return reference.version
    label = reference.label or LATEST
    if label not in refs.labels:
        labels = list_labels(refs.labels)
        if reference.label is None:
            labels = f"{labels} (name a label, or a version: {refs.model}@{max(refs.versions)})"
        raise ChangeError(f"{refs.model!r} has no label {label!r}: {labels}")
    return refs.labels[label]


def describe_preparation(preparation: PreparationManifest) -> dict[str, Any]:
    """Return the variants that were tried, and the reason for the choice."""
    return {
        "created_at": preparation.created_at,
        "chosen": preparation.chosen,
        "replacement": preparation.replacement,
        "why": preparation.why,
        "variants": [variant.to_json() for variant in preparation.variants],
    }


def _summary(refs: Refs) -> dict[str, Any]:
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


def _contents(store: MountedStore, refs: Refs, entry: VersionEntry) -> dict[str, Any]:
    manifest = read_version(store.layout, refs.model, entry)
    preparations = {}
    for runtime in sorted(entry.preparations):
        preparation = read_preparation(store.layout, refs.model, entry, runtime)
        if preparation:
            preparations[runtime] = describe_preparation(preparation)
    content = manifest.content
    return {
        "signature": manifest.signature.to_json(),
        "files": [each.to_json() for each in content.files],
        "pipeline": content.pipeline_file,
        "golden_cases": list(content.golden.cases),
        "packages": str(content.packages) if content.packages else None,
        "preparations": preparations,
    }
