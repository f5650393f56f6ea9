"""The verb that looks at one package set."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from model_store.digests import ALGORITHM, Digest
from model_store.errors import NotFoundError
from model_store.layout import MANIFEST
from model_store.reading import list_models, read_package_set, read_upward, read_version
from model_store.refs import State
from model_sync.errors import ChangeError, RequestError
from model_sync.packages import describe_packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from model_store.layout import StoreLayout
    from model_sync.asked import Asked
    from model_sync.opened import OpenedStore

_DIGITS: Final = re.compile(rf"(?:{ALGORITHM}:)?([0-9a-f]{{1,64}})")


def show_packages(store: OpenedStore, asked: Asked) -> dict[str, Any]:
    """Everything about the set that `digest` names: its digest, or what it alone begins with."""
    text = asked.text("digest")
    asked.done()
    digest = _find(store.layout, text)
    manifest = read_package_set(store.layout, digest)
    return {
        **describe_packages(manifest),
        "wheels": [wheel.to_json() for wheel in manifest.wheels],
        "pinned_by": list(_pinned_by(store.layout, digest)),
    }


def _find(layout: StoreLayout, text: str) -> Digest:
    match = _DIGITS.fullmatch(text)
    if not match:
        raise RequestError(
            f"{text!r} is no digest of a package set: expected {ALGORITHM}: and hexadecimal "
            "digits, all or the first of them"
        )
    names = [path.parent.name for path in layout.packages.glob(f"{match[1]}*/{MANIFEST}")]
    found = sorted(name for name in names if re.fullmatch(r"[0-9a-f]{64}", name))
    if not found:
        raise NotFoundError(f"no package set in the store at {layout.root} begins with {text}")
    if len(found) > 1:
        raise ChangeError(
            f"{len(found)} package sets begin with {text}: "
            f"{', '.join(f'{ALGORITHM}:{name[:16]}' for name in found[:4])}"
            f"{'' if len(found) <= 4 else ', ...'}"
        )
    return Digest(ALGORITHM, found[0])


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
