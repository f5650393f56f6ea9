"""Compare two versions of a model: signature, size, files, golden cases, packages, measurements.

Differences are given from `one` to `other`. This module reads; differences.py compares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from model_store.files import read_checked
from model_store.reading import read_package_set, read_preparation, read_version
from model_store.refs import State
from model_sync.admin import differences
from model_sync.admin.show import named_version, newest_refs
from model_sync.errors import ChangeError
from model_sync.request_fields import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_store.files import FileEntry
    from model_store.preparation import PreparationManifest
    from model_store.refs import Refs, VersionEntry
    from model_store.version import VersionManifest
    from model_sync.mounted_store import MountedStore
    from model_sync.request_fields import RequestFields


class _Side(NamedTuple):
    number: int
    entry: VersionEntry
    manifest: VersionManifest
    read: Callable[[FileEntry], bytes]


def diff(store: MountedStore, request: RequestFields) -> dict[str, Any]:
    """Compare the versions `one` and `other` of `model`, given by number.

    Raises ChangeError if a version does not exist or is deleted; StoreError.
    """
    model = request.model()
    numbers = request.whole("one", 1, 10**18), request.whole("other", 1, 10**18)
    request.done()
    refs = newest_refs(store, model)
    one, other = (_side(store, refs, number) for number in numbers)
    files = differences.files(one.manifest.content.files, other.manifest.content.files)
    return {
        "model": model,
        "one": one.number,
        "other": other.number,
        "signature": differences.signatures(one.manifest.signature, other.manifest.signature),
        "size_bytes": {"one": one.entry.size_bytes, "other": other.entry.size_bytes},
        "files": files,
        "golden": differences.golden_cases(
            one.manifest.content, other.manifest.content, one.read, other.read
        ),
        "packages": _packages(store, one, other),
        "measurements": _measurements(store, model, one, other),
    }


def _side(store: MountedStore, refs: Refs, number: int) -> _Side:
    entry = refs.versions[named_version(refs, Reference(refs.model, version=number))]
    if entry.state is State.DELETED:
        raise ChangeError(
            f"version {number} of {refs.model!r} is deleted: there is nothing left to compare"
        )
    folder = store.layout.model(refs.model).version(entry.id)

    def read(file: FileEntry) -> bytes:
        return read_checked(folder, file)

    return _Side(number, entry, read_version(store.layout, refs.model, entry), read)


def _packages(store: MountedStore, one: _Side, other: _Side) -> dict[str, Any]:
    digests = one.manifest.content.packages, other.manifest.content.packages
    sets = [read_package_set(store.layout, digest).wheels if digest else () for digest in digests]
    return {
        "one": str(digests[0]) if digests[0] else None,
        "other": str(digests[1]) if digests[1] else None,
        **differences.wheels(*sets),
    }


def _measurements(store: MountedStore, model: str, one: _Side, other: _Side) -> dict[str, Any]:
    """Return each version's chosen variant, by runtime; null if it is not prepared for one."""

    def chosen(side: _Side, runtime: str) -> dict[str, Any] | None:
        prepared: PreparationManifest | None = read_preparation(
            store.layout, model, side.entry, runtime
        )
        if prepared is None:
            return None
        return {"variant": prepared.chosen, **prepared.measurement.to_json()}

    runtimes = sorted({*one.entry.preparations, *other.entry.preparations})
    return {
        runtime: {"one": chosen(one, runtime), "other": chosen(other, runtime)}
        for runtime in runtimes
    }
