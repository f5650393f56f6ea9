"""Holds what is to be published to the signature of what its label names now.

What counts as breaking is in signature_change.py. Reading happens when called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from model_store.errors import DamagedError, NotFoundError
from model_store.reading import read_version
from model_sync.errors import SignatureError
from model_sync.publishing.signature_change import compare

if TYPE_CHECKING:
    from model_store.layout import StoreLayout
    from model_store.refs import Refs
    from model_store.signature import Signature

ALLOW: Final = "--allow-signature-change"
_MOST_TOLD: Final = 8


def check_signature_change(
    layout: StoreLayout, refs: Refs, label: str, new: Signature, *, allowed: bool
) -> tuple[str, ...]:
    """What differs between `new` and the version that `label` names in `refs`, a line each.

    () where the label names none. Raises SignatureError where callers of that version would be
    broken, or where nobody can tell because its manifest is damaged, unless that is `allowed`.
    """
    number = refs.labels.get(label)
    if number is None:
        return ()
    served = f"version {number}, which {label!r} of {refs.model!r} names"
    try:
        old = read_version(layout, refs.model, refs.versions[number]).signature
    except (DamagedError, NotFoundError) as error:
        if allowed:
            return (f"the signature is not compared with that of {served}: {error}",)
        raise SignatureError(
            f"the signature cannot be compared with that of {served}: {error}: "
            f"mend that, or publish with {ALLOW}"
        ) from error
    differences = compare(old, new)
    breaking = [each.text for each in differences if each.breaks]
    if breaking and not allowed:
        more = len(breaking) - _MOST_TOLD
        told = "; ".join(breaking[:_MOST_TOLD]) + (f" (and {more} more)" if more > 0 else "")
        raise SignatureError(
            f"callers of {served}, would be broken: {told}: "
            f"publish it under another label, or with {ALLOW}"
        )
    return tuple(
        f"unlike {served}: {each.text} ({'breaks callers' if each.breaks else 'breaks nobody'})"
        for each in differences
    )
