"""Which version a call is for, by refs. Pure functions of values.

A call names a version by its number, or a label; one that names neither is for `latest`, less what
refs split off to other labels. A split is in whole percent: 0 is never, 100 always. Calls that
carry a routing key go by it, each key always the same way for the same split; moving a label from
5 to 6 percent moves one key in a hundred. Others are drawn.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple

from model_store.refs import LATEST

if TYPE_CHECKING:
    from model_store.refs import Refs

_POINTS: Final = 10_000
"""How finely keys are told apart: a hundredth of a percent."""


class Wanted(NamedTuple):
    """What a call asks for: a number, a label, or neither; and its routing key, if it has one."""

    version: int | None = None
    label: str | None = None
    routing_key: str | None = None


def label_of(refs: Refs, wanted: Wanted, point: float) -> str | None:
    """The label by which a call finds its version; None for one by number.

    `point`: drawn from 0 up to, not including, 1; it decides for a call without a routing key.
    """
    if wanted.version is not None:
        return None
    if wanted.label is not None:
        return wanted.label
    return split_label(refs, wanted.routing_key, point) if refs.split else LATEST


def split_label(refs: Refs, routing_key: str | None, point: float) -> str:
    """The label that a call without one goes to, by the split of refs."""
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
