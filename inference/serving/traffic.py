"""The label that a call is for, by refs: pure functions of values.

A call names a version by its number, or a label. A call that names neither is for `latest`, less
the percentage that refs split off to other labels. A split is in whole percent: 0 is never, 100
always. A routing key sends a call the same way for as long as the split stays the same; changing a
label from 5 to 6 percent moves one key in a hundred. Calls without a key are split at random.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.refs import LATEST

if TYPE_CHECKING:
    from model_store.refs import Refs

_POINTS: Final = 10_000
"""Number of points that keys are hashed to: a point is a hundredth of a percent."""


class Wanted(NamedTuple):
    """The version number or label that a call names, if any, and its routing key, if it has one."""

    version: int | None = None
    label: str | None = None
    routing_key: str | None = None


def label_of(refs: Refs, wanted: Wanted, point: float) -> str | None:
    """Return the label by which a call finds its version; None for a call by number.

    `point`: from 0 up to, not including, 1; it decides for a call without a routing key.
    """
    if wanted.version is not None:
        return None
    if wanted.label is not None:
        return wanted.label
    return split_label(refs, wanted.routing_key, point) if refs.split else LATEST


def split_label(refs: Refs, routing_key: str | None, point: float) -> str:
    """Return the label that a call without a label is sent to by the split of refs."""
    if routing_key is not None:
        point = _hashed(refs.model, routing_key) / _POINTS
    percents = point * 100
    for label, percent in sorted(refs.split.items()):
        if percents < percent:
            return label
        percents -= percent
    return LATEST


def _hashed(model: str, routing_key: str) -> int:
    data = f"{model}\0{routing_key}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big") % _POINTS
